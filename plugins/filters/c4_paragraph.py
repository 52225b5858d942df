"""mC4's rule for a page, after Xue et al. 2021, mT5, section 3.1.

a page is dropped as   when
paragraphs             it has fewer than three lines of 200 characters or more
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from plugins.contracts import Filter, Rule, Threshold

if TYPE_CHECKING:
    import polars as pl


class C4Paragraph(Filter):
    """Scores a page by its third longest line; keeps pages that have three long ones."""

    name = "c4-paragraph"
    requires: ClassVar[tuple[str, ...]] = ("numba",)
    kernels: ClassVar[tuple[str, ...]] = tuple(
        f"plugins.kernels.{name}" for name in ("alphabet", "buffers", "c4_lines", "c4_phrases", "raw", "scan")
    )
    scores: ClassVar[tuple[str, ...]] = ("c4_third_line_chars",)

    min_chars: Annotated[int, Threshold(), Field(ge=1)] = 200
    """The fewest characters of each of three lines."""

    def score(self, texts: pl.Series) -> pl.DataFrame:
        r"""Characters (code points) of the third longest line, lines parting at "\n" alone; 0 where there are fewer than three."""
        import numpy as np
        import polars as pl

        from plugins.kernels.buffers import buffers
        from plugins.kernels.c4_lines import third_longest

        parts = [third_longest(part) for part in buffers(texts.to_arrow())]
        return pl.DataFrame({"c4_third_line_chars": np.concatenate([np.zeros(0, np.int64), *parts])})

    def rules(self) -> Sequence[Rule]:
        """The one there is."""
        import polars as pl

        column = "c4_third_line_chars"
        return [Rule("paragraphs", pl.col(column) < self.min_chars, column, f"< {self.min_chars}")]
