"""The child of `gristmill plugins test` (`python -P -m corpus.commands.plugins.probe`): told on stdin what to test, tells on
stdout a line of JSON for each check begun and ended, and digests of all that the plugin made.

What the plugin prints goes to stderr. The project's own folders come first on the path only once our packages are loaded, so
that a project may have a folder named as one of them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import corpus
import plugins
import schemas
from corpus.commands.plugins import quiet
from corpus.commands.plugins.outcomes import Broken, Check, Outcome, Skipped
from corpus.commands.plugins.subjects import Subject
from plugins.entries import local_entries
from schemas.errors import UserError

OURS = (corpus, plugins, schemas)


def main() -> int:
    """Answer what stdin asks."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    asked = json.load(sys.stdin)
    quiet.refuse()

    def tell(**line: Any) -> None:
        print(json.dumps(line), file=answers)

    if asked["mode"] == "list":
        tell(**_listed(Path(asked["file"])))
        return 0
    subject = Subject.from_json(asked["subject"])
    sys.path[:0] = asked["path"]
    from corpus.commands.plugins.case import Case
    from corpus.commands.plugins.checks import checks
    from corpus.engine.kernel_cache import use_kernel_cache

    use_kernel_cache()
    case = Case(subject)
    if asked["mode"] == "checks":
        listed: Sequence[tuple[str, Check]] = checks(subject.kind)
        for name, check in listed:
            tell(begin=name)
            tell(outcome=outcome(name, check, case).to_json())
    if case.ready():
        tell(made=case.made())
    return 0


def _listed(file: Path) -> dict[str, Any]:
    """Kind and name of the plugins in a file, or what is wrong with it."""
    try:
        return {"found": [(entry.kind, entry.name) for entry in local_entries(file)]}
    except UserError as error:
        return {"fault": str(error)}


def outcome(name: str, check: Check, case: Any) -> Outcome:
    """How a check ended; what a plugin raises where it must not is a failure that says where."""
    try:
        return Outcome(name, "pass", check(case) or "")
    except Broken as broken:
        return Outcome(name, "fail", broken.seen, broken.change)
    except Skipped as skipped:
        return Outcome(name, "skip", str(skipped))
    except Exception as error:  # noqa: BLE001  a stranger's code may raise anything; it becomes the outcome
        return Outcome(name, "fail", _raised(error), "mend it where it was raised")


def _raised(error: Exception) -> str:
    """An exception, and the last line of the plugin that it went through."""
    at, trace = "", error.__traceback__
    while trace is not None:
        at = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]} (at {at})"


if __name__ == "__main__":
    sys.exit(main())
