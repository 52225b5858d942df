"""What Microsoft's Presidio finds, by a language model too: names of persons, places, identity numbers of many countries.

Slower by far than `pii` (kilobytes a second where a model runs) and less exact on names, so: `pii` first for what has a form, this for what has none. It needs the extra
`presidio` and, for persons and places, the spaCy model named in `model`, installed beforehand. Its
recogniser of e-mail addresses asks the network for the public suffix list, and goes on without it: `pii` finds those.

Placeholders such as "[PERSON]" or pii's "[EMAIL]" are never touched, and findings beside one do not grow into it. A model may see another person in a text from
which one was taken, so a text is gone through until nothing more is found. Overlapping findings: the surer, then the longer, then the earlier has the span.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Protocol

from pydantic import Field

from plugins.cleaners.pii import Taken, applied, merged
from plugins.contracts import Brings, Cleaner, Edit, Locates, Threshold
from schemas.errors import UserError, missing_extra

_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z_0-9]{1,40}\]")
_ROUNDS = 16


class Finding(Protocol):
    """As presidio's RecognizerResult."""

    entity_type: str
    start: int
    end: int
    score: float


class Analyzer(Protocol):
    """As presidio's AnalyzerEngine."""

    def analyze(
        self, text: str, language: str, entities: list[str] | None, score_threshold: float
    ) -> Sequence[Finding]:
        """What it finds."""
        ...


class Presidio(Cleaner):
    """Replaces what presidio-analyzer finds by placeholders such as [PERSON]."""

    name = "presidio"
    requires: ClassVar[tuple[str, ...]] = ("presidio-analyzer", "spacy")
    kernels: ClassVar[tuple[str, ...]] = ("plugins.cleaners.pii",)

    entities: tuple[str, ...] = ("PERSON", "LOCATION")
    """What is looked for, in Presidio's names; [] for all it knows."""
    language: str = "en"
    """Language of the texts, as Presidio and the model know it."""
    model: str = "en_core_web_sm"
    """The spaCy model, an installed package."""
    min_score: float = Field(default=0.5, ge=0, le=1)
    """How sure Presidio must be, 0 to 1."""

    def check(self) -> None:
        """Presidio and the model are installed."""
        _version("presidio-analyzer")
        self._model_version()

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """Its options, and the model's version."""
        return {**super().identity(without=without), "model_version": self._model_version()}

    def clean(self, text: str) -> list[Edit]:
        """One edit for each finding. Raises ValueError for a text that does not come to rest."""
        made: list[Edit] = []
        now = text
        analyzer = analyzer_of(self.model, self.language)
        for _ in range(_ROUNDS):
            found = self._found(analyzer, now)
            if not found:
                return made
            made = merged(made, found)
            now = applied(text, made)
        raise ValueError(f"the text still changes after {_ROUNDS} rounds")

    def _found(self, analyzer: Analyzer, text: str) -> list[Edit]:
        taken = Taken(match.span() for match in _PLACEHOLDER.finditer(text))
        results: Iterable[Finding] = analyzer.analyze(
            text=text,
            language=self.language,
            entities=list(self.entities) or None,
            score_threshold=self.min_score,
        )
        ordered = sorted(results, key=lambda r: (-r.score, r.start - r.end, r.start, r.entity_type))
        edits = [
            Edit(result.start, result.end, f"[{result.entity_type}]")
            for result in ordered
            if taken.add(result.start, result.end)
        ]
        return sorted(edits, key=lambda edit: edit.start)

    def _model_version(self) -> str:
        try:
            return version(self.model)
        except PackageNotFoundError:
            raise UserError(
                f"`presidio` needs the spaCy model {self.model}, which is not installed; install it as spaCy's documentation says "
                f"(`python -m spacy download {self.model}`), or name an installed one: model = …"
            ) from None


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        raise missing_extra("presidio", "the cleaner `presidio`") from None


@lru_cache(maxsize=2)
def analyzer_of(model: str, language: str) -> Analyzer:
    """Presidio's engine with this model; one for each process."""
    try:
        from presidio_analyzer import AnalyzerEngine  # type: ignore[import-not-found, unused-ignore]
        from presidio_analyzer.nlp_engine import NlpEngineProvider  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise missing_extra("presidio", "the cleaner `presidio`") from None
    engine = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": language, "model_name": model}],
        }
    ).create_engine()
    made: Analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=[language])
    return made
