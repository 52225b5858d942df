"""Counts of patterns: whatever a regular expression can name, such as phone numbers, boilerplate or a forum's own marks.

Patterns are those of Rust's regex crate: no look-around, no back-references, so no pattern takes exponential time; counting all matches may take quadratic time at worst.
Matches are counted from left to right and do not overlap.

    rule         drops a text in which
    max_<name>   the pattern matches more than `max.<name>` times
    min_<name>   the pattern matches fewer than `min.<name>` times

A pattern without a bound is counted, and drops nothing: build once, read the table `scores`, then choose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from plugins.contracts import Filter, Rule, Threshold
from schemas.errors import nearest

if TYPE_CHECKING:
    import polars as pl

Bound = Annotated[int, Field(ge=0)]


class Regex(Filter):
    """Counts the matches of regular expressions; keeps texts between the bounds given."""

    name = "regex"
    requires: ClassVar[tuple[str, ...]] = ("polars",)

    patterns: dict[str, str]
    r"""Expressions by name, as in `patterns = { phone = '\d{3}-\d{4}' }`, in the syntax of Rust's regex crate; each gives a score `regex_<name>`."""
    max: Annotated[dict[str, Bound], Threshold()] = Field(default_factory=dict)
    """The most matches, by name of the pattern: `max = { phone = 0 }`."""
    min: Annotated[dict[str, Bound], Threshold()] = Field(default_factory=dict)
    """The fewest matches, by name of the pattern."""

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: dict[str, str]) -> dict[str, str]:
        import polars as pl
        from polars.exceptions import ComputeError

        if not patterns:
            raise ValueError("names no pattern; give one, as in patterns = { ellipsis = '\\.\\.\\.' }")
        for name, pattern in patterns.items():
            if not re.fullmatch("[a-z][a-z0-9_]*", name):
                raise ValueError(f'"{name}" cannot name a score; use a-z, 0-9 and "_", a letter first')
            try:
                pl.Series(["a"]).str.count_matches(pattern)
            except ComputeError as error:
                raise ValueError(
                    f'"{name}" is no regular expression of Rust\'s regex crate: {error}'
                ) from error
        return patterns

    @model_validator(mode="after")
    def _bounds_name_patterns(self) -> Regex:
        for option, bounds in (("max", self.max), ("min", self.min)):
            for name in bounds:
                if name not in self.patterns:
                    raise ValueError(
                        f'{option}: there is no pattern "{name}". {nearest(name, list(self.patterns))}'.rstrip()
                    )
        for name, least in self.min.items():
            if least > self.max.get(name, least):
                raise ValueError(
                    f"min.{name}: {least} is above max.{name} = {self.max[name]}; no text could pass"
                )
        return self

    def columns(self) -> tuple[str, ...]:
        """`regex_<name>` of every pattern."""
        return tuple(f"regex_{name}" for name in self.patterns)

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """Matches of every pattern; null for a null text."""
        import polars as pl

        texts = texts.cast(pl.String)
        return pl.DataFrame({
            f"regex_{name}": texts.str.count_matches(pattern).cast(pl.Int64)
            for name, pattern in self.patterns.items()
        })

    def rules(self) -> Sequence[Rule]:
        """In the order of the patterns."""
        import polars as pl

        rules: list[Rule] = []
        for name in self.patterns:
            column = f"regex_{name}"
            if name in self.max:
                most = self.max[name]
                rules.append(Rule(f"max_{name}", pl.col(column) > most, column, f"> {most}"))
            if name in self.min:
                least = self.min[name]
                rules.append(Rule(f"min_{name}", pl.col(column) < least, column, f"< {least}"))
        return rules
