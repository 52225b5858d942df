"""Logs of IRC channels (`irc_lines.py` says in whose manner): cut by silence, or untangled by links.

Links are those of the corpus of Kummerfeld et al. (A Large-Scale Corpus for Conversation Disentanglement, ACL 2019): beside `X.raw.txt`
(or `X.txt`, `X.log`) lies `X.annotation.txt`, a line "4 7 -" for each pair of lines that belong together, counted from 0; "7 7 -" says that line 7 begins
a conversation. A conversation is a connected component of the links. It is a page where someone says something in it; lines of talk that no
link names (the context before the annotated part) are one page with fate `unlinked`, so that they do not vanish.

What the network says (joins, parts, renames) is counted in `metadata.noise`, what no manner of writing fits in `metadata.unread`; neither is a
message. All messages have role user and the nick as name: the format says who is the model, or the option `assistant`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plugins.scrapers.chat_shapes.irc_lines import Line, Watch, read_line
from plugins.scrapers.chat_shapes.shape import ChatOptions, Conversation, Raw, SourceFile, message, numbered
from plugins.scrapers.chat_shapes.weaving import Joined, by_silence, untangle

TALK = frozenset({"said", "done"})
ANNOTATION = ".annotation.txt"


class Irc:
    """Runs, or components, of a log's lines."""

    name = "irc"

    def raws(self, file: SourceFile, options: ChatOptions) -> Iterator[Raw]:
        """The log's conversations. Raises ValueError for links that are none, or asked for and absent."""
        beside = links_of(file.path)
        if options.split == "links" and beside is None:
            raise ValueError(
                f'split = "links", but no links lie beside it: {_named(file.path)}; split = "gap" cuts by silence'
            )
        if beside is not None and options.split in {"auto", "links"}:
            yield from _linked(file, beside)
            return
        gap = float("inf") if options.split == "file" else options.gap
        watch = _Silence()
        number = 0
        for run in by_silence(_lines(file), watch.pause, gap):
            if any(line.kind in TALK for _, line in run):
                yield Raw(numbered(number), "\n".join(text for text, _ in run))
                number += 1
            # A run without talk can only be what stands before the first word: nothing was said, so nothing is lost.

    def read(self, record: str, options: ChatOptions) -> Conversation:
        """The lines of talk as messages."""
        lines = [read_line(text) for text in record.split("\n")]
        messages = [
            message("assistant" if line.nick == options.assistant else "user", line.text, name=line.nick)
            for line in lines
            if line.kind in TALK
        ]
        noise, unread = (sum(line.kind == kind for line in lines) for kind in ("noise", "unread"))
        counts = {key: count for key, count in (("noise", noise), ("unread", unread)) if count}
        return Conversation(messages, None, next((line.day for line in lines if line.day), None), counts)


def _lines(file: SourceFile) -> Iterator[tuple[str, Line]]:
    with file.text() as text:
        for line in text:
            bare = line.rstrip("\r\n")
            yield bare, read_line(bare)


class _Silence:
    """Pauses between lines of talk: what the network says breaks no silence."""

    def __init__(self) -> None:
        self._watch, self._passed, self._spoken = Watch(), 0.0, False

    def pause(self, numbered_line: tuple[str, Line]) -> float | None:
        line = numbered_line[1]
        self._passed += self._watch.pause(line) or 0.0
        if line.kind not in TALK:
            return None
        passed, self._passed = self._passed, 0.0
        spoken, self._spoken = self._spoken, True
        return passed if spoken else None


# ------------------------------------------------------------------------------------------------ links


def links_of(path: str) -> Path | None:
    """The file of links beside a log, where there is one."""
    found = Path(_named(path))
    return found if found.is_file() and str(found) != path else None


def _named(path: str) -> str:
    name = Path(path).name
    for suffix in (".raw.txt", ".ascii.txt", ".txt", ".log"):
        if name.endswith(suffix):
            return str(Path(path).with_name(name.removesuffix(suffix) + ANNOTATION))
    return path + ANNOTATION


def _linked(file: SourceFile, beside: Path) -> Iterator[Raw]:
    """The components of the links that say something, numbered by their first line; then what no link names."""
    kinds = [line.kind for _, line in _lines(file)]
    joined, named = Joined(len(kinds)), set[int]()
    for one, other in _pairs(beside, len(kinds)):
        joined.join(one, other)
        named |= {one, other}
    labels = [name if number in named else -1 for number, name in enumerate(joined.names())]
    spoken = {label for label, kind in zip(labels, kinds, strict=True) if kind in TALK}
    labels = [label if label in spoken else -1 for label in labels]
    order = {
        label: number for number, label in enumerate(dict.fromkeys(label for label in labels if label >= 0))
    }
    for label, run in untangle(_lines(file), labels):
        yield Raw(numbered(order[label]), "\n".join(text for text, _ in run))
    left = sum(kind in TALK for number, kind in enumerate(kinds) if labels[number] < 0)
    if left:
        yield Raw(
            "unlinked", error="unlinked", detail=f"{left} lines of talk that no link in {beside.name} names"
        )


def _pairs(beside: Path, size: int) -> Iterator[tuple[int, int]]:
    for number, line in enumerate(beside.read_text(encoding="utf-8").splitlines()):
        cells = line.split()
        if not cells:
            continue
        if len(cells) < 2 or not all(
            cell.isascii() and cell.isdecimal() and int(cell) < size for cell in cells[:2]
        ):
            raise ValueError(
                f"{beside.name}, line {number + 1}: two line numbers below {size} were expected, not {line[:60]!r}"
            )
        yield int(cells[0]), int(cells[1])
