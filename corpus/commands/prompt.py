"""`gristmill sql NAME` on a terminal: type a statement, end it with ";", read the answer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

LEAVE = frozenset({"exit", "quit", r"\q", ".quit", ".exit"})


def prompt(name: str, answer: Callable[[str], None], example: str = "select * from fates limit 5") -> None:
    """Read statements until the end of input and pass each to `answer`; an error is told and the loop goes on."""
    from schemas.errors import GristmillError

    with contextlib.suppress(ImportError):  # line editing and history, where Python was built with it
        import readline  # noqa: F401  importing it is what gives `input` its editing
    print(
        f'{name}: end a statement with ";", leave with Ctrl-D. Try: {example};',
        file=sys.stderr,
    )
    for statement in statements(input):
        try:
            answer(statement)
        except GristmillError as error:
            print(error, file=sys.stderr)


def statements(read: Callable[[str], str]) -> Iterator[str]:
    r"""Statements from lines; Ctrl-C drops the one being typed, `exit` or Ctrl-D ends.

    >>> lines = iter(["select 1", "  + 1;", "exit"])
    >>> list(statements(lambda mark: next(lines)))
    ['select 1\n  + 1']
    """
    typed: list[str] = []
    while True:
        try:
            line = read("... " if typed else "sql> ")
        except KeyboardInterrupt:
            print(file=sys.stderr)
            typed.clear()
            continue
        except EOFError:
            print(file=sys.stderr)
            return
        if not typed and line.strip().rstrip(";").lower() in LEAVE:
            return
        typed.append(line)
        if line.rstrip().endswith(";"):
            statement = "\n".join(typed).strip().rstrip(";").strip()
            typed.clear()
            if statement:
                yield statement
