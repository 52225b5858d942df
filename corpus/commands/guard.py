"""How a command ends: its exit code, its one message on stderr, and a traceback only where `--debug` asks for it.

Wrapped around every command, a stranger's too. Rejected: a handler around the whole application, which would miss what
runs it otherwise (tests, completion) and could not know the command's own `--debug`.
"""

from __future__ import annotations

import functools
import inspect
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

INTERRUPTED = 130
TERMINATED = 143

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def guarded(command: Callable[..., Any]) -> Callable[..., None]:
    """`command` with a `--debug` option, and with every way to fail turned into an exit code."""
    signature = inspect.signature(command, eval_str=True)
    own = "debug" in signature.parameters

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        debug = bool(kwargs.get("debug") if own else kwargs.pop("debug", False))
        try:
            with _terminable():
                command(*args, **kwargs)
                sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001  this is where every failure ends
            _end(error, debug=debug)

    run.__doc__ = _flowing(command.__doc__)
    if not own:
        flag = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug)
        run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), flag])  # type: ignore[attr-defined]
        run.__annotations__ = {**command.__annotations__, "debug": Debug}
    return run


def _flowing(text: str | None) -> str:
    """A docstring's paragraphs on one line each: help wraps them to the terminal, and would keep the source's line ends."""
    return "\n\n".join(
        " ".join(paragraph.split()) for paragraph in inspect.cleandoc(text or "").split("\n\n")
    )


def _end(error: BaseException, *, debug: bool) -> NoReturn:
    """Say what went wrong, once, and leave with its code."""
    if _is_own_exit(error):
        raise error
    if debug:
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        complain("interrupted; what was finished is kept, and the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    if isinstance(error, BrokenPipeError) and _nobody_reads():
        raise typer.Exit(0) from None
    if not debug:  # the traceback ended with it
        complain(_message(error))
    raise typer.Exit(getattr(error, "exit_code", 1)) from None


def _is_own_exit(error: BaseException) -> bool:
    """Typer's ways to leave, and `sys.exit`: they carry their own code and message."""
    # Typer names no public home for Click's exceptions; what sets them apart is that they show themselves.
    return isinstance(error, (SystemExit, GeneratorExit, typer.Exit, typer.Abort)) or hasattr(
        error, "format_message"
    )


def _message(error: BaseException) -> str:
    from schemas.errors import GristmillError

    if isinstance(error, GristmillError):
        return str(error)
    text = str(error).strip()
    first = text.splitlines()[0][:300] if text else "no message"
    return f"{type(error).__name__}: {first}\nThis was not foreseen. The same command with --debug shows where it happened."


def complain(message: str) -> None:
    """A message on stderr, whatever became of stderr."""
    try:
        print(message, file=sys.stderr, flush=True)
    except (BrokenPipeError, ValueError):
        return


def _nobody_reads() -> bool:
    """Whether the reader of our stdout went away, as `head` does: it had what it wanted.

    A worker's broken pipe raises the same error and is a failure. Points stdout at nothing, so that Python's own flush
    at exit stays quiet.
    """
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # a stdout that is no file, as in tests
        return False
    state = select.poll()
    state.register(number, select.POLLOUT)
    if not any(event & select.POLLERR for _, event in state.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return True


@contextmanager
def _terminable() -> Iterator[None]:
    """While a command runs, SIGTERM unwinds it as Ctrl-C does, so that workers end and temporary files go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = os.getpid()

    def leave(number: int, _frame: object) -> None:
        if os.getpid() != process:  # a forked worker inherited this handler: it dies as it would have
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the clearing up
        complain("terminated")
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
