r"""The lines of a page as `boilerplate` compares them: where they stand, what two of them must have in common, which are never touched.

Lines are compared in Unicode's compatibility form (NFKC), without case, without characters that cannot be seen, white space squeezed, so that
what the cleaners `unicode` and `whitespace` mend before makes no difference. Mojibake does: a line that `unicode` mends was learned as it was
broken. Digits count by default: "The population was 512 at the census." is a template's sentence, and says something else on each page.

Code is left alone: lines in fences, and lines that begin with a tab or four spaces. So are rows of tables, whose heads repeat by right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 2_000
"""Characters of a line that is looked at; what is longer is no furniture."""

INDENT = ("    ", "\t")
FENCE = ("```", "~~~")
TABLE = "|"

_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: characters [start, end) of its text, with its indentation, without white space at its end."""

    start: int
    end: int
    key: str | None
    """None where it is never touched."""


def lines(text: str, *, fold_digits: bool) -> list[Line]:
    """The lines of a text that are not blank."""
    return list(_lines(text, fold_digits=fold_digits))


def _lines(text: str, *, fold_digits: bool) -> Iterator[Line]:
    at, fence = 0, ""
    for raw in text.split("\n"):
        said = raw.strip()
        start, at = at, at + len(raw) + 1
        if not said:
            continue
        inside = bool(fence)
        if fence:
            fence = "" if said.startswith(fence) else fence
        elif said.startswith(FENCE):
            fence, inside = said[:3], True
        free = not (inside or len(said) > LONGEST or raw.startswith(INDENT) or said.startswith(TABLE))
        yield Line(start, start + len(raw.rstrip()), key_of(said, fold_digits=fold_digits) if free else None)


def key_of(line: str, *, fold_digits: bool) -> str:
    r"""What lines that count as one have in common.

    >>> key_of("  Share\u00a0on   FACEBOOK ", fold_digits=False)
    'share on facebook'
    """
    if not line.isascii():
        line = unicodedata.normalize("NFKC", line)
    line = " ".join(_INVISIBLE.sub("", line).casefold().split())
    return _DIGITS.sub("0", line) if fold_digits else line


def words(line: str) -> int:
    """Words with letters; of scripts written without spaces, two characters count as one.

    >>> words("Click to read more >> 12"), words("続きを読む")
    (4, 2)
    """
    unspaced = len(_UNSPACED.findall(line))
    return len(_WORD.findall(_UNSPACED.sub(" ", line))) + unspaced // 2
