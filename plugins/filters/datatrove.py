"""Any filter of datatrove, row by row: `use = "datatrove:C4ParagraphFilter"`, its arguments as the other keys of the table.

    rule      drops a document that
    dropped   the filter would drop, with the reason that it gives

A document reaches it as `Document(text, id, metadata)`, with its address as `metadata["url"]` where there is one. What such a filter
writes into the text (C4QualityFilter leaves lines out) or the metadata is not taken: a filter here only scores, and rewriting is a
cleaner's work. It runs at datatrove's speed, in Python, a document at a time; gristmill's own filters of the same rules are columnar.

What is not installed, and arguments that the class does not take, are faults of the recipe. What a filter fetches from the net at its
first document (C4BadWordsFilter its lists, FastTextClassifierFilter its model) cannot be known then, and costs every document a
fate where there is no net.

Refused: SamplerFilter, and C4BadWordsFilter with `keep_fraction`, draw random numbers in the order in which documents come, so their
decisions would depend on the number of workers (`sampler` does not); LambdaFilter takes a function, which a recipe cannot spell (write
a plugin); `exclusion_writer` writes what is dropped (table `rejects` holds it).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, model_validator

from plugins.contracts import Filter, Rule
from schemas.errors import nearest

if TYPE_CHECKING:
    import polars as pl

REFUSED: Mapping[str, str] = {
    "SamplerFilter": 'draws as documents come, so that the sample depends on the number of workers; use = "sampler" does not',
    "LambdaFilter": "takes a function, which a recipe cannot spell; write a filter of your own (docs/plugins.md)",
}


class Datatrove(Filter):
    """Runs a filter of datatrove, a document at a time. Further keys of the table are its arguments; text that it rewrites is not taken."""

    model_config = ConfigDict(extra="allow")

    name = "datatrove"
    argument: ClassVar[str | None] = "filter"
    requires: ClassVar[tuple[str, ...]] = (
        "datatrove",
        "spacy",
        "nltk",
        "tldextract",
        "fasttext-predict",
        "regex",
    )
    reads: ClassVar[tuple[str, ...]] = ("doc_id", "url")

    filter: str
    """The class, `"C4ParagraphFilter"`; also written as `use = "datatrove:C4ParagraphFilter"`."""

    @model_validator(mode="after")
    def _runs_here(self) -> Datatrove:
        known = _known()
        if self.filter in REFUSED:
            raise ValueError(f"filter: {self.filter} {REFUSED[self.filter]}")
        if self.filter not in known:
            hint = nearest(self.filter, list(known))
            raise ValueError(
                f'filter: datatrove has no "{self.filter}". {hint} It has {", ".join(known)}.'.replace(
                    "  ", " "
                )
            )
        self._check_arguments(known[self.filter])
        try:
            step = self._step()
            _prepare(step)
        except (
            Exception
        ) as error:  # whatever a class of datatrove raises about its arguments or what is not installed
            raise ValueError(
                f"datatrove's {self.filter} cannot be made: {' '.join(str(error).split())}"
            ) from error
        return self

    def _check_arguments(self, cls: type[Any]) -> None:
        given = self.__pydantic_extra__ or {}
        if "exclusion_writer" in given:
            raise ValueError("exclusion_writer: what is dropped stands in the table `rejects`; leave it out")
        if given.get("keep_fraction"):
            raise ValueError(
                "keep_fraction: draws as documents come, so that decisions depend on the number of workers; leave it out"
            )
        takes = [
            key
            for key in inspect.signature(cls.__init__).parameters
            if key not in {"self", "exclusion_writer"}
        ]
        for key in given:
            if key not in takes:
                hint = nearest(key, takes) or f"It takes {', '.join(takes) or 'none'}."
                raise ValueError(f"{key}: is no argument of datatrove's {self.filter}. {hint}")

    def columns(self) -> tuple[str, ...]:
        """`datatrove_<class>` and `datatrove_<class>_reason`."""
        return f"datatrove_{self.filter}", f"datatrove_{self.filter}_reason"

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """As for documents without an address."""
        import polars as pl

        nulls = [None] * len(texts)
        return self.score_documents(pl.DataFrame({"text": texts, "doc_id": nulls, "url": nulls}))

    def score_documents(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Whether the filter keeps a document, and its reason where it gives one; null for a null text."""
        import polars as pl
        from datatrove.data import Document

        step = self._step()
        kept: list[bool | None] = []
        reasons: list[str | None] = []
        for text, doc_id, url in documents.select(
            pl.col("text", "doc_id", "url").cast(pl.String)
        ).iter_rows():
            if text is None:
                kept.append(None)
                reasons.append(None)
                continue
            metadata = {} if url is None else {"url": url}
            answer = step.filter(Document(text=text, id=doc_id or "", metadata=metadata))
            verdict, reason = answer if isinstance(answer, tuple) else (answer, None)
            kept.append(bool(verdict))
            reasons.append(None if verdict or reason is None else str(reason))
        keeps, why = self.columns()
        return pl.DataFrame({keeps: kept, why: reasons}, schema={keeps: pl.Boolean, why: pl.String})

    def rules(self) -> Sequence[Rule]:
        """One."""
        import polars as pl

        keeps, why = self.columns()
        return [Rule("dropped", ~pl.col(keeps), why, "dropped")]

    def _step(self) -> Any:
        return _made(self.filter, json.dumps(self.__pydantic_extra__ or {}, sort_keys=True))


@lru_cache(maxsize=1)
def _known() -> dict[str, type[Any]]:
    """Every filter that a recipe may name."""
    from datatrove.pipeline import filters

    classes = {name: value for name, value in vars(filters).items() if isinstance(value, type)}
    return {name: value for name, value in sorted(classes.items()) if name not in REFUSED}


@lru_cache(maxsize=16)
def _made(name: str, arguments: str) -> Any:
    """One instance for a process: some load a model."""
    return _known()[name](**json.loads(arguments))


def _prepare(step: Any) -> None:
    """Raise what is missing now: filters that split words or sentences load their tokenizer at the first document only."""
    language = getattr(step, "language", None)
    if not isinstance(language, str):
        return
    from datatrove.utils.word_tokenizers import load_word_tokenizer

    load_word_tokenizer(language)
