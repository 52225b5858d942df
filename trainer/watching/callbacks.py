"""The recipe's callbacks: told what the journal is told, asked whether the run goes on, and never trusted with it.

A stranger's code runs between optimiser steps, so whatever it raises stays here: it is said once and kept for the record, and the callback is
called again at the next step, since a tracker that was out of reach for a minute may be back. Rejected: transformers' TrainerCallback as the
contract. It hands out the trainer itself, so a plugin could change anything, and would break with its next version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plugins.contracts import Callback
from plugins.specs import PluginSpec

Row = Mapping[str, Any]


class Callbacks:
    """All callbacks of a run, in the recipe's order. Each method returns the first reason to end, or None."""

    def __init__(
        self, specs: Sequence[PluginSpec], *, say: Callable[[str], None], more: Mapping[str, Callback] = {}
    ) -> None:
        """`more` are those that no recipe names, such as a sweep's rule."""
        self._called = [*((spec.use, _made(spec)) for spec in specs), *more.items()]
        self._say = say
        self._run: dict[str, Any] = {}
        self.faults: dict[str, str] = {}
        """Callback → the first thing it raised: for the record."""

    def begin(
        self, run: str, folder: Path, *, steps: int, step: int = 0, rows: Sequence[Row] = ()
    ) -> str | None:
        """The run `run` ("name/3") begins, or goes on after `step` of `steps`; `rows` are those before."""
        self._run = {"run": run, "folder": str(folder), "steps": steps, "step": step, "rows": rows}
        return self._ask("begin", lambda: {**self._run, "rows": [dict(row) for row in rows]})

    def step(self, row: Row) -> str | None:
        """An optimiser step is done: its row of kind train."""
        return self._ask("step", lambda: dict(row))

    def evaluate(self, row: Row) -> str | None:
        """The val split was measured: its row of kind val."""
        return self._ask("evaluate", lambda: dict(row))

    def end(self, step: int, reason: str, rows: Sequence[Row] = ()) -> None:
        """The run ended after `step` steps, for `reason`; `rows` are all of the journal's."""
        told = self._run | {"step": step, "reason": reason}
        self._ask("end", lambda: {**told, "rows": [dict(row) for row in rows]})

    def _ask(self, method: str, told: Callable[[], dict[str, Any]]) -> str | None:
        """Tell each callback, each with a copy of its own. All are told, also where an earlier one wants the end."""
        reasons = [self._answer(name, callback, method, told()) for name, callback in self._called]
        return next((reason for reason in reasons if reason), None)

    def _answer(self, name: str, callback: Callback, method: str, told: dict[str, Any]) -> str | None:
        try:
            answer = getattr(callback, method)(told)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a stranger's code may raise anything; Ctrl-C is the user's and passes
            self._fault(name, f"{method} raised {type(error).__name__}: {error}")
            return None
        if answer is not None and not isinstance(answer, str):
            self._fault(
                name, f"{method} returned {answer!r}; it may return a reason to end the run, as text, or None"
            )
            return None
        return f'callback "{name}": {answer}' if answer else None

    def _fault(self, name: str, fault: str) -> None:
        if name not in self.faults:
            self.faults[name] = fault
            self._say(
                f'callback "{name}": {fault}. The run goes on without what it would have done; more of it is not said'
            )


def _made(spec: PluginSpec) -> Callback:
    callback = spec.make()
    assert isinstance(callback, Callback)
    return callback
