"""The fenced code blocks of a Markdown text (CommonMark 0.31, section 4.5), found by a scan over its lines.

A fence may stand inside list items and block quotes: what stands before it on its line (blanks and ">") is taken off the lines of its code.
One that is never closed runs to the end of the text, and says so: then the document was cut inside it. Indented code blocks are not looked
for: without the lists around them they cannot be told from continued text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_OPENING = re.compile(
    r"(?P<before>(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t])))*[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$"
)


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block."""

    info: str
    """The first word behind the fence, as written: "python"; empty where there is none."""
    code: str
    closed: bool


def fences(text: str) -> Iterator[Fence]:
    r"""All fenced blocks, in order.

    >>> list(fences("Try:\n\n```py\nx = 1\n```\n"))
    [Fence(info='py', code='x = 1\n', closed=True)]
    """
    opening: re.Match[str] | None = None
    code: list[str] = []
    for line in text.split("\n"):
        if opening is None:
            found = _OPENING.match(line) if "```" in line or "~~~" in line else None
            if found and not (found["fence"][0] == "`" and "`" in found["info"]):
                opening, code = found, []
            continue
        bare = line.strip(" \t>")
        if set(bare) == {opening["fence"][0]} and len(bare) >= len(opening["fence"]):
            yield _fence(opening, code, closed=True)
            opening = None
        else:
            code.append(line)
    if opening is not None:
        yield _fence(opening, code, closed=False)


def _fence(opening: re.Match[str], lines: list[str], *, closed: bool) -> Fence:
    words = opening["info"].strip().strip("{}").split()
    info = re.split(r"[,:{]", words[0].lstrip("."))[0] if words else ""
    quoted, width = opening["before"].count(">"), len(opening["before"])
    bare = [_without(line, quoted, width) for line in lines]
    return Fence(info, "".join(f"{line}\n" for line in bare), closed)


def _without(line: str, quoted: int, width: int) -> str:
    """A line of code without what stands before its fence: marks of quotes, then blanks, as far as they are there."""
    at = taken = 0
    while at < min(len(line), width) and (line[at] in " \t" or (line[at] == ">" and taken < quoted)):
        taken += line[at] == ">"
        at += 1
    return line[at:]
