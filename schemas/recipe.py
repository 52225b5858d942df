"""The recipe: frozen models of its sections, and a parser that reports every fault at once.

A plugin's own options are checked by `plugins.registry`, which knows the plugins; here they are carried as they stand.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from schemas.errors import Fault, RecipeError, nearest
from schemas.recipe_faults import faults_of
from schemas.recipe_lora import Lora
from schemas.recipe_mix import Mix
from schemas.recipe_section import Section, Step, switch
from schemas.recipe_train import Divergence, EarlyStopping, Train
from schemas.store import NAME

__all__ = [
    "SURVIVOR_KEYS",
    "Dedup",
    "Divergence",
    "EarlyStopping",
    "Extract",
    "Fuzzy",
    "Lora",
    "Mix",
    "Recipe",
    "Section",
    "Source",
    "Split",
    "Step",
    "Tokens",
    "Train",
    "band_shape",
    "candidate_probability",
    "faults_of",
    "parse",
    "read_toml",
]


class Source(Step):
    """Where pages come from."""

    name: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = None
    """What `pages.source` says; needed only when two sources share `use`. It names a folder: letters, digits, ". _ -"."""

    @property
    def label(self) -> str:
        """The source's name in every table."""
        return self.name or self.use


class Extract(Step):
    """How HTML becomes text."""

    use: str = "trafilatura"
    """trafilatura | resiliparse | none | any extractor plugin."""
    cpu_seconds: int = Field(20, ge=1, le=3600)
    """CPU seconds a page may take; one that needs more is tried alone with four times as much, then given up."""
    memory_mib: int = Field(2048, ge=256)
    """Memory a page's extraction may add, in MiB."""


class Fuzzy(Section):
    """Near-duplicates by MinHash candidates and verified Jaccard similarity."""

    threshold: float = Field(0.8, gt=0, le=1)
    """Jaccard similarity of word n-grams at and above which the later document is dropped."""
    ngram: int = Field(5, ge=1, le=64)
    """Words in a shingle."""
    permutations: int = Field(112, ge=16, le=1024)
    """At most this many hash functions are used."""
    recall: float = Field(0.99, gt=0, lt=1)
    """Share of pairs at the threshold that must become candidates; bands and rows follow from it."""
    bands: int | None = Field(None, ge=1, le=1024)
    """Cut the permutations into so many bands instead, whatever recall that gives: 14 of 112 permutations are bands of 8."""

    @model_validator(mode="after")
    def _room_for_bands(self) -> Fuzzy:
        if self.bands is not None and self.bands > self.permutations:
            raise ValueError(
                f"bands: {self.bands} is more than permutations = {self.permutations}; a band takes one at least"
            )
        return self

    @property
    def curve(self) -> dict[float, float]:
        """The S-curve around the threshold: share of the pairs of each similarity that become candidates."""
        near = {round(self.threshold + step, 2) for step in (-0.3, -0.2, -0.1, -0.05, 0, 0.05, 0.1)}
        return {s: candidate_probability(s, *self.shape) for s in sorted(near) if 0 < s <= 1}

    @property
    def shape(self) -> tuple[int, int]:
        """(bands, rows) of the LSH table: the most rows a band whose S-curve still reaches `recall` at `threshold`.

        Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4: a pair of similarity s
        becomes a candidate with probability 1 - (1 - s^rows)^bands.
        """
        if self.bands is not None:
            return self.bands, self.permutations // self.bands
        return band_shape(self.threshold, self.permutations, self.recall)


def band_shape(threshold: float, permutations: int, recall: float) -> tuple[int, int]:
    """(bands, rows) with bands x rows <= permutations, as `Fuzzy.shape` says; (permutations, 1) where none reaches `recall`.

    >>> band_shape(0.8, 112, 0.99)
    (18, 6)
    """
    for rows in range(permutations, 1, -1):
        bands = permutations // rows
        if candidate_probability(threshold, bands, rows) >= recall:
            return bands, rows
    return permutations, 1


def candidate_probability(similarity: float, bands: int, rows: int) -> float:
    """The S-curve: how likely a pair of this Jaccard similarity shares a band.

    >>> round(candidate_probability(0.8, 14, 8), 2)
    0.92
    """
    return 1 - (1 - similarity**rows) ** bands


class Dedup(Section):
    """Which documents say the same, and which of them stays."""

    exact: bool = True
    """Drop documents whose text is equal once runs of white space count as one."""
    fuzzy: Annotated[Fuzzy | None, BeforeValidator(switch, json_schema_input_type=Fuzzy | bool)] = Fuzzy()
    """Near-duplicates; `true` is the default, `false` turns it off."""
    url: bool = False
    """Drop documents whose normalised address another one has, whatever they say."""
    against: tuple[str, ...] = ()
    """Drop documents that repeat one of another corpus: versions ("books@3"), or Parquet files with a column `text`, relative to the recipe."""
    survivor: tuple[str, ...] = ("-n_chars", "url")
    """ORDER BY keys: who stays. "-" means descending; nulls last; ties by doc_id."""

    @model_validator(mode="after")
    def _compares_somehow(self) -> Dedup:
        if self.against and not self.exact and self.fuzzy is None:
            raise ValueError("against: needs exact or fuzzy, which are both off; nothing would be compared")
        return self

    @field_validator("survivor")
    @classmethod
    def _known_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            if (column := key.removeprefix("-")) not in SURVIVOR_KEYS:
                hint = (
                    nearest(column, SURVIVOR_KEYS)
                    or f'Allowed, each with or without "-": {", ".join(SURVIVOR_KEYS)}.'
                )
                raise ValueError(f'"{key}" is not a column to order by. {hint}')
        return keys


SURVIVOR_KEYS = ("n_chars", "url", "source", "locator", "title", "author", "published", "position", "doc_id")


class Split(Section):
    """Which documents train, which are watched, and which are sealed."""

    val: float = Field(0.05, ge=0, lt=1)
    """Share of groups kept for validation."""
    test: float = Field(0.05, ge=0, lt=1)
    """Share of groups sealed for the final evaluation."""
    group: str = "auto"
    """auto | thread | work | site | document | a column of `documents`: what must not be torn apart."""
    seed: int = 7
    leakage_bound: float = Field(0.2, ge=0, le=1)
    """A val or test document leaks when more than this share of its 13-grams stands in train (Touvron et al. 2023,
    Llama 2, appendix A.6: a sample below 20 % is "clean")."""

    @model_validator(mode="after")
    def _leaves_train(self) -> Split:
        if self.val + self.test >= 1:
            raise ValueError(
                f"val + test is {self.val + self.test:g}; it must be below 1, or nothing is left to train on"
            )
        return self


class Tokens(Section):
    """How documents become training rows."""

    model: str = "smollm2-135m"
    """The base model whose tokenizer cuts: a hub id, a local path, or a name `gristmill models` knows."""
    format: Annotated[
        Step, BeforeValidator(lambda value: {"use": value} if isinstance(value, str) else value)
    ] = Step(use="text")
    """text | any format plugin, as a name or as a table { use = "…", … }."""
    max_tokens: int = Field(2048, ge=8, le=1_048_576)
    """The longest row, in tokens."""
    overlap: int = Field(0, ge=0)
    """Tokens of the row before that are repeated, untrained, at the head of the next; at most a quarter of max_tokens."""
    min_tokens: int = Field(1, ge=1)
    """A document's last row is not shorter: it takes from the one before; a document that is shorter as a whole is dropped. At most a quarter of max_tokens."""
    header: tuple[Literal["title", "author", "speakers", "url"], ...] = ()
    """What stands, untrained, at the head of every row; for format text only."""

    @model_validator(mode="after")
    def _rows_keep_room(self) -> Tokens:
        for name in ("overlap", "min_tokens"):
            if getattr(self, name) > self.max_tokens // 4 and getattr(self, name) > 1:
                raise ValueError(
                    f"{name}: is {getattr(self, name)}; it must be at most {self.max_tokens // 4}, a quarter of max_tokens = {self.max_tokens}"
                )
        if self.header and self.format.use != "text":
            raise ValueError(
                f'header: stands with format = "text" only, not with "{self.format.use}"; take it out. '
                "A chat or instruct row begins with its system turn: write the option `system` of the format"
            )
        if len(set(self.header)) < len(self.header):
            raise ValueError("header: names something twice; take one out")
        return self

    def cutting(self) -> dict[str, Any]:
        """The options that say how documents are cut, as JSON values."""
        return self.model_dump(mode="json", include={"max_tokens", "overlap", "min_tokens", "header"})


class Recipe(Section):
    """One whole recipe."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    """The corpus' name: lower-case letters, digits, ".", "_" and "-"."""
    plugins: tuple[str, ...] = ()
    """Local plugin files, relative to the recipe; part of the fingerprint."""
    source: tuple[Source, ...] = Field(min_length=1)
    extract: Extract = Extract()
    clean: tuple[Step, ...] = (Step(use="unicode"), Step(use="whitespace"))
    filter: tuple[Step, ...] = ()
    dedup: Dedup = Dedup()
    mix: Mix = Mix()
    split: Split = Split()
    tokens: Tokens = Tokens()
    train: Train = Train()

    @model_validator(mode="after")
    def _distinct_sources(self) -> Recipe:
        labels = [source.label for source in self.source]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f'source: two are called "{twice[0]}"; give each a `name`')
        for name in self.mix.weights:
            if name not in labels:
                hint = nearest(name, labels) or f"Sources: {', '.join(labels)}."
                raise ValueError(f'mix.weights: "{name}" is not a source of this recipe. {hint}')
        return self


def read_toml(path: Path) -> dict[str, Any]:
    """The recipe's tables as they stand; raises RecipeError for what is not there or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(
            str(path), [Fault("recipe", "no such file; `gristmill init` writes one to start from")]
        ) from None
    except OSError as error:
        raise RecipeError(str(path), [Fault("recipe", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            str(path), [Fault("recipe", f"byte {error.start} is not UTF-8; a recipe is UTF-8 text")]
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(str(path), [Fault("recipe", f"is not TOML: {error}")]) from None


def parse(tables: dict[str, Any]) -> tuple[Recipe | None, list[Fault]]:
    """The recipe, or None with every fault of its fixed sections."""
    try:
        return Recipe.model_validate(tables), []
    except ValidationError as error:
        return None, faults_of(error, Recipe)
