"""What a reader should know of code that is not in the Markdown as the page has it."""

from __future__ import annotations

from collections.abc import Sequence

LEFT_OUT = "less what stands beside it, such as line numbers"
LINE_ENDS = "with line ends where the page has elements"


def changes_of(shown: Sequence[str], written: Sequence[str]) -> str | None:
    r"""How blocks differ, each the text of its element in the page and as it was written; None where only white space at an end does.

    >>> changes_of(["1\na = 1\n", "b = 2\n"], ["a = 1", "b = 2"])
    '1 of 2 code blocks less what stands beside it, such as line numbers'
    """
    kinds = [_change(*pair) for pair in zip(shown, written, strict=True)]
    told = [f"{kinds.count(kind)} {kind}" for kind in (LEFT_OUT, LINE_ENDS) if kind in kinds]
    return (
        f"{told[0].replace(' ', f' of {len(kinds)} code blocks ', 1)}{''.join(f', {more}' for more in told[1:])}"
        if told
        else None
    )


def _change(shown: str, written: str) -> str | None:
    if shown.strip().replace("\r\n", "\n") == written.strip():
        return None
    return LINE_ENDS if "".join(shown.split()) == "".join(written.split()) else LEFT_OUT
