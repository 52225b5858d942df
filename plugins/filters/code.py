"""Code that is broken or not whole, by its syntax tree (tree-sitter; extra `code`).

    rule         drops a document
    errors       of whose code more than `max_error_share` (bytes) is no syntax of its language
    unbalanced   with more than `max_unclosed` brackets without a partner
    empty_body   with more than `max_empty_bodies` functions or classes that end where their body should begin
    elision      with more than `max_elisions` marks of code left out ("# ...", "// rest of the code")
    cut          whose end is torn off: in a string, a comment, a bracket, before a body; unless `whole_end = false`
    unknown      in which no code was found, with `unknown = "drop"`; by default such a document passes

What each measure counts: `plugins/code/completeness.py`; how the language is found: `plugins/code/detection.py`; what was measured on
real files: docs/code.md. `max_error_share` is not 0, because grammars meet whole files that they cannot read (macros, dialects); brackets
and ends are counted apart, so that it need not be small. With `action = "flag"` nothing is dropped and the scores stand in `scores`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from plugins.code.completeness import Completeness, completeness
from plugins.code.detection import detect
from plugins.code.fences import fences
from plugins.code.languages import BY_NAME, DISTRIBUTIONS, Language, named, of_suffix, require
from plugins.code.prompts import session
from plugins.contracts import Filter, Rule, Threshold
from schemas.errors import nearest

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("title", "author", "source")
"""What `language` may name: columns of a document a recipe can put a table's column in."""


class Code(Filter):
    """Scores how broken or unfinished the code of a document is; drops it, or only flags it."""

    name = "code"
    requires: ClassVar[tuple[str, ...]] = ("polars", *DISTRIBUTIONS)
    kernels: ClassVar[tuple[str, ...]] = ("plugins.code",)
    scores: ClassVar[tuple[str, ...]] = (
        "code_language",
        "code_snippets",
        "code_error_share",
        "code_unclosed",
        "code_empty_bodies",
        "code_elisions",
        "code_cut",
    )
    reads: ClassVar[tuple[str, ...]] = ("locator", *COLUMNS)

    action: Annotated[Literal["drop", "flag"], Threshold()] = "drop"
    """flag: score only, drop nothing."""
    language: str = "auto"
    """auto: by the file's ending, else by what the code shows. Or one language for all; or the column that names it: title, author or source, of which a table's source can say `title = "lang"`."""
    fenced: bool = False
    """Judge the fenced blocks of a Markdown text instead of the whole: shares over all their bytes, counts summed, the first torn end told."""
    max_error_share: Annotated[float, Threshold(), Field(ge=0, le=1)] = 0.1
    """The most bytes that may stand in syntax errors, per byte of code."""
    max_unclosed: Annotated[int, Threshold(), Field(ge=0)] = 0
    """The most brackets without a partner."""
    max_empty_bodies: Annotated[int, Threshold(), Field(ge=0)] = 0
    """The most functions and classes without a body."""
    max_elisions: Annotated[int, Threshold(), Field(ge=0)] = 0
    """The most marks of code left out."""
    whole_end: Annotated[bool, Threshold()] = True
    """Drop code whose end is torn off."""
    unknown: Annotated[Literal["drop", "keep"], Threshold()] = "keep"
    """What becomes of a document in which no code of a known language was found."""

    @field_validator("language")
    @classmethod
    def _known(cls, language: str) -> str:
        if language == "auto" or language in COLUMNS:
            return language
        if found := named(language):
            return found.name
        known = ["auto", *BY_NAME, *COLUMNS]
        raise ValueError(
            f'"{language}" is neither a language nor a column; there are {", ".join(known)}. {nearest(language, known)}'.rstrip()
        )

    def check(self) -> None:
        """The grammars are installed."""
        require("the filter `code`")

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """As for documents of which nothing but the text is known."""
        import polars as pl

        nothing = dict.fromkeys(self.reads, pl.Series([None] * len(texts), dtype=pl.String))
        return self.score_documents(pl.DataFrame({"text": texts, **nothing}))

    def score_documents(self, documents: pl.DataFrame) -> pl.DataFrame:
        """code_language (that of most bytes), code_snippets (pieces judged), and the measures; all null but the count where there is no code."""
        import polars as pl

        rows = [self._row(document) for document in documents.iter_rows(named=True)]
        kinds = (pl.String, pl.Int32, pl.Float64, pl.Int32, pl.Int32, pl.Int32, pl.String)
        return pl.DataFrame(rows, schema=dict(zip(self.scores, kinds, strict=True)), orient="row")

    def rules(self) -> Sequence[Rule]:
        """From what is broken to what is missing; none where code is only flagged."""
        import polars as pl

        if self.action == "flag":
            return []
        bounds = (
            ("errors", "code_error_share", self.max_error_share),
            ("unbalanced", "code_unclosed", self.max_unclosed),
            ("empty_body", "code_empty_bodies", self.max_empty_bodies),
            ("elision", "code_elisions", self.max_elisions),
        )
        rules = [
            Rule(reason, (pl.col(column) > bound).fill_null(value=False), column, f"> {bound:g}")
            for reason, column, bound in bounds
        ]
        if self.whole_end:
            rules.append(Rule("cut", pl.col("code_cut").is_not_null(), "code_cut", "is torn off"))
        if self.unknown == "drop":
            rules.append(Rule("unknown", pl.col("code_language").is_null(), "code_language", "not found"))
        return rules

    def _row(self, document: dict[str, Any]) -> tuple[Any, ...]:
        judged = [
            (language.name, len(code.encode()), completeness(code, language), closed)
            for language, code, closed in self._pieces(document)
        ]
        if not judged:
            return (None, 0, None, None, None, None, None)
        bytes_of: Counter[str] = Counter()
        for name, size, _, _ in judged:
            bytes_of[name] += size
        measures = [found for _, _, found, _ in judged]
        wrong = sum(size * found.error_share for _, size, found, _ in judged)
        cuts = [_cut(found, closed) for _, _, found, closed in judged]
        return (
            max(BY_NAME, key=lambda name: bytes_of[name]),
            len(judged),
            round(wrong / max(bytes_of.total(), 1), 6),
            sum(found.unclosed for found in measures),
            sum(found.empty_bodies for found in measures),
            sum(found.elisions for found in measures),
            next(filter(None, cuts), None),
        )

    def _pieces(self, document: dict[str, Any]) -> Iterable[tuple[Language, str, bool]]:
        """The code to judge, its language, and whether its fence was closed. What is in no known language is none."""
        text = document["text"] or ""
        stated, silent = self._stated(document)
        if not self.fenced:
            found = None if silent else _read(text, stated)
            return [(*found, True)] if found else []
        pieces = []
        for fence in fences(text):
            own = named(fence.info)
            if fence.info and own is None and session(fence.code) is None:
                continue
            found = _read(fence.code, own or stated)
            pieces += [(*found, fence.closed)] if found else []
        return pieces

    def _stated(self, document: dict[str, Any]) -> tuple[Language | None, bool]:
        """The language that is stated; and whether what is stated is one that no grammar here reads, so that nothing is to be guessed."""
        if self.language in COLUMNS:
            value = (document[self.language] or "").strip()
            return named(value), bool(value) and named(value) is None
        if self.language != "auto":
            return BY_NAME[self.language], False
        return (None if self.fenced else of_suffix(document["locator"] or "")), False


def _read(text: str, stated: Language | None) -> tuple[Language, str] | None:
    """The code of a text and its language; None where there is none. A session counts where nothing else is stated, or its own language."""
    if not text.strip():
        return None
    typed = session(text)
    if typed and stated in {None, BY_NAME[typed[0]]}:
        return BY_NAME[typed[0]], typed[1]
    language = stated or detect(text)
    return (language, text) if language else None


def _cut(found: Completeness, closed: bool) -> str | None:  # noqa: FBT001 - a field of a fence
    return found.cut if closed else "fence"
