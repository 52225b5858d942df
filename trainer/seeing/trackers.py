"""The journal sent to what the recipe names: TensorBoard, Weights & Biases, trackio, each used where it is installed.

A tracker follows the journal, so it shows the numbers of `metrics.parquet` under names like `train/loss` and `val/accuracy`. What a
tracker raises is said once and ends the tracker, not the run. Rejected: transformers' own integrations (`report_to`), which log the
averages of its loop, put a run's arguments and paths on the page, and know nothing of a corpus.

Nothing leaves the machine unless the recipe names a tracker that sends: W&B where its account and its server are within reach (else it
is kept in the run's folder, for `wandb sync`), trackio where its own variables name a server. A terminal's output, the code and git's
addresses are never sent.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self
from urllib.parse import urlsplit

from schemas.errors import MissingExtra, UserError, nearest
from trainer.seeing.progress import say

SENT = ("loss", "accuracy", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "memory")
"""Columns of the journal that are sent."""
REACH = 3.0
"""Seconds W&B's server has to answer before a run is kept offline."""


class Tracker(Protocol):
    """One place a run is shown in."""

    modules: ClassVar[tuple[str, ...]] = ()
    """Any of these must be installed; the first is what `pip install` is told."""

    def __init__(self, run: str, folder: Path, config: Mapping[str, Any], step: int) -> None:
        """Show run `name/number`, which lies in `folder` and goes on after `step`. The recipe's [train] and the corpus are `config`."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """The values of one row."""

    def end(self) -> str | None:
        """Close it; where to look, for people."""


class TensorBoard:
    """Event files in the run's folder."""

    modules: ClassVar[tuple[str, ...]] = ("tensorboard", "tensorboardX")

    def __init__(self, run: str, folder: Path, config: Mapping[str, Any], step: int) -> None:
        module = "torch.utils.tensorboard" if find_spec("tensorboard") else "tensorboardX"
        # What an interrupted sitting logged behind its last checkpoint is hidden.
        self._writer = importlib.import_module(module).SummaryWriter(
            str(folder / "tensorboard"), purge_step=step + 1 if step else None
        )
        self._writer.add_text("run", "\n".join(f"    {key} = {value!r}" for key, value in config.items()))
        self._folder = folder.parent

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def end(self) -> str:
        self._writer.close()
        return f"tensorboard --logdir {self._folder}"


class Wandb:
    """Weights & Biases: online where account and server are within reach, else in the run's folder."""

    modules: ClassVar[tuple[str, ...]] = ("wandb",)

    def __init__(self, run: str, folder: Path, config: Mapping[str, Any], step: int) -> None:
        wandb: Any = importlib.import_module("wandb")

        self._offline = not _within_reach(wandb)
        mark = folder / "wandb-id"  # by which a run that goes on is found again
        if not mark.is_file():
            mark.write_text(secrets.token_hex(4), encoding="utf-8")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or run.partition("/")[0],
            name=run,
            id=mark.read_text(encoding="utf-8"),
            resume="allow",
            dir=str(folder),
            config=dict(config),
            mode="offline" if self._offline else None,
            settings={"console": "off", "silent": True, "disable_git": True, "save_code": False},
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def end(self) -> str | None:
        told = (
            f"kept offline; to send it: wandb sync {Path(self._run.dir).parent}"
            if self._offline
            else self._run.url
        )
        self._run.finish()
        return told


class Trackio:
    """trackio: in its own folder on this machine, or where its variables say."""

    modules: ClassVar[tuple[str, ...]] = ("trackio",)

    def __init__(self, run: str, folder: Path, config: Mapping[str, Any], step: int) -> None:
        trackio: Any = importlib.import_module("trackio")

        self._project = run.partition("/")[0]
        # `embed` would show a dashboard in a notebook's cell in the midst of the run's output.
        self._run = trackio.init(
            project=self._project,
            name=run,
            config=dict(config),
            resume="allow" if step else "never",
            embed=False,
        )
        self._finish = trackio.finish

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def end(self) -> str:
        self._finish()
        return f"trackio show --project {self._project}"


TRACKERS: dict[str, type[Tracker]] = {"tensorboard": TensorBoard, "wandb": Wandb, "trackio": Trackio}


def check(names: Iterable[str]) -> None:
    """Raise before a run exists: UserError for a name that is no tracker, MissingExtra for one that is not installed."""
    for name in names:
        if name not in TRACKERS:
            hint = nearest(name, list(TRACKERS)) or f"There are: {', '.join(TRACKERS)}."
            raise UserError(f'train.trackers names "{name}", which is no tracker. {hint}')
    missing = [name for name in names if not any(find_spec(module) for module in TRACKERS[name].modules)]
    if missing:
        packages = " ".join(TRACKERS[name].modules[0] for name in missing)
        raise MissingExtra(
            f"train.trackers names {', '.join(missing)}, not installed here, so the run would not be shown there. "
            f"Install with: pip install {packages}; or take the name out. metrics.parquet and the plots are always written."
        )


class Trackers:
    """Those a recipe names, for the length of a run."""

    def __init__(
        self, names: Sequence[str], run: str, folder: Path, config: Mapping[str, Any], *, step: int = 0, quiet: bool = False
    ) -> None:  # fmt: skip
        self.failures: list[str] = []
        """What they raised, each once."""
        self._begin = (run, folder, config, step)
        self._names = names
        self._open: dict[str, Tracker] = {}
        self._quiet = quiet

    def __enter__(self) -> Self:
        for name in self._names:
            with self._guarded(name):
                self._open[name] = TRACKERS[name](*self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, tracker in list(self._open.items()):
            with self._guarded(name):
                if told := tracker.end():
                    say(f"{name}: {told}", quiet=self._quiet)

    def see(self, row: Mapping[str, Any]) -> None:
        """A row of the journal, as it is added."""
        kind = row["kind"]
        values = {
            f"{kind}/{column}": float(row[column])
            for column in SENT
            if row.get(column) is not None and math.isfinite(row[column])
        }
        for name, tracker in list(self._open.items()):
            with self._guarded(name):
                tracker.log(values, row["step"])

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Any:
        """Keeps what a tracker prints off stdout, and what it raises from ending the run."""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever its server, its disk or its settings bring; some exit
            self._open.pop(name, None)
            self.failures.append(f"{name}: {type(error).__name__}: {error}")
            say(f"{self.failures[-1]}; the run goes on without it", quiet=self._quiet)


def _within_reach(wandb: Any) -> bool:
    """Whether W&B is to be asked to send: what its own settings say, else whether there is an account and a server that answers."""
    settings = wandb.setup().settings
    if os.environ.get("WANDB_MODE") or settings.mode != "online":
        return settings.mode == "online"
    try:
        known = bool(wandb.login(prompt=False))
    except TypeError:  # before it could be told not to ask
        known = bool(os.environ.get("WANDB_API_KEY") or wandb.api.api_key)
    if not known or any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy")):
        return known
    server = urlsplit(settings.base_url)
    try:
        address = (server.hostname or "", server.port or (80 if server.scheme == "http" else 443))
        socket.create_connection(address, timeout=REACH).close()
    except OSError:
        return False
    return True
