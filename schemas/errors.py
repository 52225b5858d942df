"""Every exception gristmill raises on purpose.

    GristmillError                    exit 1   the work failed
    ├── UserError                     exit 2   the user must change something
    │   ├── RecipeError                        the recipe has faults; all of them are listed
    │   ├── SourceError                        a source names what is not there or cannot be read as stated
    │   ├── MixError                           the kept documents cannot be mixed as asked
    │   ├── SplitError                         the kept documents cannot be split as asked
    │   ├── EmptyCorpus                        nothing is left to publish
    │   ├── NotFound                           no such version, run, model or file
    │   ├── MissingExtra                       an optional part is not installed
    │   ├── Mismatch                           adapter, corpus, tokenizer or recipe do not belong together
    │   └── StorageError                       the root cannot be written
    ├── TaskFailed                    exit 1   a task raised, or its worker died
    ├── LedgerError                   exit 1   a law does not hold; nothing is published
    ├── Diverged                      exit 1   a training run's loss ran away before it had learned anything worth keeping
    ├── Interrupted                   130/143  a training run was asked to end; it can be resumed
    └── Corruption                    exit 4   what lies on disk is not what was written

A message says what happened (with the value and where), why it matters, and what to type to mend it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class GristmillError(Exception):
    """The root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1


class UserError(GristmillError):
    """Something only the user can change."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with a recipe: the dotted key and a sentence that starts with its value."""

    key: str
    message: str


class RecipeError(UserError):
    """All faults of one recipe, together."""

    def __init__(self, path: str, faults: Iterable[Fault]) -> None:
        self.path = path
        self.faults = sorted(set(faults))
        width = max((len(fault.key) for fault in self.faults), default=0)
        count = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}"
        lines = [f"  {fault.key:<{width}}   {fault.message}" for fault in self.faults]
        super().__init__("\n".join([f"{path}: {count}", *lines]))

    def __reduce__(self) -> tuple[type, tuple[str, list[Fault]]]:
        return type(self), (self.path, self.faults)


class SourceError(UserError):
    """A source names what is not there or cannot be read as stated."""


class MixError(UserError):
    """The kept documents cannot be mixed as asked."""


class SplitError(UserError):
    """The kept documents cannot be split as asked."""


class EmptyCorpus(UserError):
    """Nothing is left to publish."""


class NotFound(UserError):
    """No such version, run, model or file."""


class MissingExtra(UserError):
    """An optional part is not installed; the message holds the line that installs it."""


class Mismatch(UserError):
    """Adapter, corpus, tokenizer or recipe do not belong together."""


class StorageError(UserError):
    """The root cannot be written."""


class TaskFailed(GristmillError):
    """A task raised, or its worker died."""


class LedgerError(GristmillError):
    """A law does not hold, so nothing is published."""


class Diverged(GristmillError):
    """A training run's loss ran away before it had learned anything worth keeping."""


class Interrupted(GristmillError):
    """A training run was asked to end, by Ctrl-C (130) or SIGTERM (143), and did so after a checkpoint."""

    def __init__(self, message: str, exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type, tuple[str, int]]:
        return type(self), (str(self), self.exit_code)


class Corruption(GristmillError):
    """What lies on disk is not what was written."""

    exit_code = 4


def nearest(name: str, known: Sequence[str]) -> str:
    """A sentence naming the closest of `known`, or the empty string.

    >>> nearest("unicod", ["unicode", "whitespace"])
    'Nearest: "unicode".'
    >>> nearest("zzz", ["unicode"])
    ''
    """
    found = get_close_matches(name, known, n=1, cutoff=0.6)
    return f'Nearest: "{found[0]}".' if found else ""


def missing_extra(extra: str, what: str) -> MissingExtra:
    """The error for `what` that needs the optional dependencies `extra`."""
    return MissingExtra(
        f"{what} needs the extra `{extra}`. Install it with: pip install 'gristmill[{extra}]'"
    )
