"""A JSON object too large for memory: its members one after another, the elements of one of its arrays singly.

`json.load` of an export of 100 MB takes half a gigabyte; this holds one element and a block of text. Rejected: ijson, a dependency for one shape.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from plugins.scrapers.media import MAX_PAGE_BYTES
from plugins.scrapers.records import BLOCK


def members(text: io.TextIOBase, streamed: str) -> Iterator[tuple[str, Any]]:
    """(key, value) of the object's members; for the array `streamed`, its elements, each as (streamed, element).

    Raises ValueError where the text is no such object, or ends before it does.

    >>> list(members(io.StringIO('{"a": 1, "m": [{"b": 2}, 3]}'), "m"))
    [('a', 1), ('m', {'b': 2}), ('m', 3)]
    """
    reader = _Reader(text)
    reader.take("{")
    while reader.peek() != "}":
        key = reader.value()
        reader.take(":")
        if key == streamed and reader.peek() == "[":
            reader.take("[")
            while reader.peek() != "]":
                yield streamed, reader.value()
                reader.comma("]")
            reader.take("]")
        else:
            yield str(key), reader.value()
        reader.comma("}")
    reader.take("}")
    reader.end()


class _Reader:
    """A place in a text that is read block by block."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text, self._decoder = text, json.JSONDecoder()
        self._buffer, self._at, self._ended, self._before = "", 0, False, 0

    def _fill(self, more: int = BLOCK) -> None:
        block = self._text.read(more)
        self._ended = not block
        self._before += self._at
        self._buffer, self._at = self._buffer[self._at :] + block, 0

    def peek(self) -> str:
        """The next character that is not white space."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in " \t\r\n\ufeff":
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                raise ValueError(
                    f"the JSON ends at character {self._before + self._at}, before it is complete"
                )
            self._fill()

    def end(self) -> None:
        """Nothing comes after. Raises ValueError where something does, which would be lost."""
        try:
            found = self.peek()
        except ValueError:
            return
        raise ValueError(f'"{found}" follows the end of the JSON at character {self._before + self._at}')

    def take(self, character: str) -> None:
        if (found := self.peek()) != character:
            raise ValueError(f'character {self._before + self._at} is "{found}", not "{character}"')
        self._at += 1

    def comma(self, end: str) -> None:
        """The comma between two elements, or nothing before the end."""
        if self.peek() != end:
            self.take(",")

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise ValueError(
                    f"the JSON at character {self._before + self._at} is nested too deep"
                ) from None
            except ValueError as error:
                if self._ended:
                    raise ValueError(f"character {self._before + self._at}: {error}") from None
            else:
                # A number at the end of the buffer may go on behind it.
                if end < len(self._buffer) or self._ended:
                    self._at = end
                    return value
            if len(self._buffer) - self._at > MAX_PAGE_BYTES:
                raise ValueError(
                    f"the value at character {self._before + self._at} is broken, or larger than a page may be"
                )
            # More is read twice as fast each time, or one long value would be parsed over and over.
            self._fill(max(BLOCK, len(self._buffer) - self._at))
