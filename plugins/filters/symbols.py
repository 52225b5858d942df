r"""Characters that are no prose: symbols, digits, capitals, and what holds markup and code together.

Shares are of a text's characters other than spaces, line ends and control characters. Defaults were set by eye on 1,337
pages of WCXB (main content) and are reported on the same: 4 go, two of them code, one a table, one a shop's menus. By them also go 89 % of
200 of those pages' HTML, 91 % of 193 JavaScript files and C headers, 13 of 16 style sheets, 33 of 34 CSV files, and 44 % of 149 Python
files, which read like prose; and 5 of 532 translations of the Declaration of Human Rights, one of them all in capitals.

    rule          drops a text in which                      default   highest in a WCXB article
    max_symbols   punctuation and symbols exceed this share   0.20      .183
    max_digits    decimal digits exceed this share            0.40      .265
    max_upper     capital letters exceed this share           0.50      .166
    max_markup    < > { } [ ] | \ = ; _ # ` ^ ~ $ & * + @ %
                  exceed this share                           0.06      .044 but for one page, a table
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from plugins.contracts import Filter, Rule, Threshold
from plugins.kernels import WORDS

if TYPE_CHECKING:
    import polars as pl

Share = Annotated[float | None, Threshold(), Field(ge=0, le=1)]


class Symbols(Filter):
    """Measures how much of a text is symbols, digits, capitals and markup; drops dumps of code, tables and shouting."""

    name = "symbols"
    requires: ClassVar[tuple[str, ...]] = ("numba", "polars")
    kernels: ClassVar[tuple[str, ...]] = (*WORDS, "plugins.kernels.symbols")
    scores: ClassVar[tuple[str, ...]] = ("symbol_share", "digit_share", "upper_share", "markup_share")

    max_symbols: Share = 0.2
    """The greatest share of punctuation and symbols, markup among them."""
    max_digits: Share = 0.4
    """The greatest share of decimal digits."""
    max_upper: Share = 0.5
    """The greatest share of capital letters."""
    max_markup: Share = 0.06
    """The greatest share of characters that markup, code and tables are made of."""

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """Four shares in [0, 1]; 0 for a text of nothing but spaces, null for a null one."""
        import numpy as np
        import polars as pl

        from plugins.kernels.buffers import buffers
        from plugins.kernels.symbols import Kinds, count_kinds

        texts = texts.cast(pl.String)
        parts = [count_kinds(part) for part in buffers(texts.to_arrow())]
        empty = Kinds(*(np.zeros(0, np.int64) for _ in Kinds._fields))
        solid, *counts = map(np.concatenate, zip(*(parts or [empty]), strict=True))
        shares = {
            name: (count / np.maximum(solid, 1)).astype(np.float32)
            for name, count in zip(self.scores, counts, strict=True)
        }
        there = pl.Series("there", texts.is_not_null())
        return pl.DataFrame({**shares, "there": there}).select(
            pl.when("there").then(name).alias(name) for name in self.scores
        )

    def rules(self) -> Sequence[Rule]:
        """Those that are set."""
        import polars as pl

        bounds = {
            "symbol_share": ("max_symbols", self.max_symbols),
            "digit_share": ("max_digits", self.max_digits),
            "upper_share": ("max_upper", self.max_upper),
            "markup_share": ("max_markup", self.max_markup),
        }
        return [
            Rule(reason, pl.col(column) > pl.lit(most, dtype=pl.Float32), column, f"> {most:g}")
            for column, (reason, most) in bounds.items()
            if most is not None
        ]
