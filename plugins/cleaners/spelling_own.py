"""Corrections and exceptions of a recipe's own: options and files in codespell's format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from plugins.cleaners.spelling_context import WORD


def pairs_of(
    words: Mapping[str, str], ignore: Iterable[str], files: Iterable[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Corrections by the word in small letters, and words left alone. Options go before files. Raises
    ValueError for a line that is neither, and for corrections that cannot be made."""
    own: dict[str, str] = {}
    ignored = {word.lower() for word in ignore}
    for file in files:
        for number, line in enumerate(Path(file).read_text(encoding="utf-8").splitlines(), 1):
            wrong, arrow, right = (piece.strip() for piece in line.partition("#")[0].partition("->"))
            if arrow and wrong and right:
                own[wrong.lower()] = right
            elif arrow and wrong:
                ignored.add(wrong.lower())
            elif wrong or arrow:
                raise ValueError(
                    f'{file}, line {number}: "{line}" is no correction; write "grammer->grammar"'
                )
    own.update({wrong.lower(): right for wrong, right in words.items()})
    own = {wrong: right for wrong, right in own.items() if wrong not in ignored}
    for wrong, right in own.items():
        if not WORD.fullmatch(wrong) or not WORD.search(right):
            raise ValueError(
                f'"{wrong}" = "{right}" is no correction of one word by others; write it as "grammer" = "grammar"'
            )
        if again := next((piece for piece in pieces(right) if piece in own), None):
            raise ValueError(
                f'"{wrong}" becomes "{right}", and "{again}" would be corrected in turn; correct it at once'
            )
    return own, frozenset(ignored)


def pieces(right: str) -> list[str]:
    """The words of a correction, in small letters."""
    return [piece.lower().replace("’", "'") for piece in WORD.findall(right)]
