"""The heading of a table's column, for `pii`: "customer,phone" says of a bare "3125550149" below what it is.

A table is lines with equally many delimiters (tab, "|", ";" or ",", none within quotes), up to a blank line; its first line is the heading. Looked for
within `_REACH` characters, so that a long table costs no more than its length; beyond that, in the text's first line. Rejected: the module csv, which would
read the whole table for each number in it.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"[^"\n]*"')
_REACH = 10_000
_LONGEST = 2_000
"""Lines longer than this are no rows."""


def heading(text: str, place: int) -> str:
    r"""The cell above all those in whose column `place` stands; "" where it stands in none.

    >>> heading("name,phone\nAnn,3125550149", 15)
    'phone'
    """
    first = text.rfind("\n", max(0, place - _LONGEST), place) + 1
    if not first:
        return ""
    last = text.find("\n", place, place + _LONGEST)
    line = _masked(text[first : last if last >= 0 else place + _LONGEST])
    delimiter = next((mark for mark in "\t|;," if mark in line), "")
    if not delimiter:
        return ""
    blank = text.rfind("\n\n", max(0, first - _REACH), first)
    top = blank + 2 if blank >= 0 else len(text) - len(text.lstrip("\n"))
    if top >= first:
        return ""
    above = text[top : text.find("\n", top)][:_LONGEST]
    cells, at = [], 0
    for cell in _masked(above).split(delimiter):
        cells.append(above[at : at + len(cell)])
        at += len(cell) + 1
    column = line.count(delimiter, 0, place - first)
    if len(cells) != line.count(delimiter) + 1 or len(cells[column]) > 32:
        return ""
    return cells[column].strip(" \t\"'")


def _masked(line: str) -> str:
    """As long, with nothing in its quotes."""
    return _QUOTED.sub(lambda quoted: " " * len(quoted[0]), line)
