"""Data sets of Kaggle: fetched once by its own client, then read as files of this machine.

    [[source]]
    use = "kaggle"
    dataset = "owner/slug"
    version = 3                          # Kaggle's pages say it beside the title
    path = "*.csv"                       # inside the data set
    text = "review"

Every option of `files` may stand here too. The client is not gristmill's: `pip install kaggle`, and give it a key in the environment (KAGGLE_USERNAME
and KAGGLE_KEY) or in `~/.kaggle/kaggle.json`; a recipe never holds one. The version must be named, since the newest would make
another corpus of the same recipe next month; what was fetched stays in the source's work folder, and no later build asks again.

The archive is unpacked here and not by the client, which trusts it: a name that leaves the folder, a link or what is encrypted is not written but
has fate `refused`, and what it unpacks to is counted while it is unpacked.

Unproven: no Kaggle can be reached from where this was written. The call, `api.dataset_download_files("owner/slug/3", path=…, unzip=False)`, and its
file `slug.zip` are those of the client's source (1.5 to 1.8); the tests put an object of that shape in its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from plugins.contracts import Locates, Page, Part, Place
from plugins.scrapers.columns import plain
from plugins.scrapers.files import Files
from schemas.errors import MissingExtra, SourceError
from schemas.fingerprint import canonical, identify

BLOCK = 1 << 20


class Kaggle(Files):
    """A data set of Kaggle, fetched by its client (`pip install kaggle`) and read as `files` reads."""

    name = "kaggle"
    kernels: ClassVar[tuple[str, ...]] = (*Files.kernels, "plugins.scrapers.files")

    dataset: str = Field(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_.-]+$")
    """Owner and name, as in the address of its page: "owner/slug"."""
    version: int = Field(ge=1)
    """Its version, as its page says; a recipe that did not name it would build something else next month."""
    path: Annotated[str | tuple[str, ...], Locates(), Field(min_length=1)]
    """One glob or several inside the data set: "*.csv"."""
    max_gib: Annotated[int, Locates()] = Field(default=64, ge=1)
    """GiB that its archive may unpack to."""

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for pattern in (path,) if isinstance(path, str) else path:
            parts = PurePosixPath(pattern).parts
            if pattern.startswith(("/", "~")) or ".." in parts:
                raise ValueError(
                    f'"{pattern}" leads out of the data set; write it from the data set\'s own top, as in "*.csv"'
                )
        return path

    @property
    def gathers(self) -> bool:
        """Always: it fetches an archive."""
        return True

    def parts(self, place: Place) -> Sequence[Part]:
        """The parts of its files, after they were fetched. Raises MissingExtra without the client and SourceError for what it cannot fetch."""
        folder = place.work / f"{self.dataset.replace('/', '--')}@{self.version}"
        if not folder.is_dir():
            self._bring(folder)
        refused = json.loads((folder / "refused.json").read_text(encoding="utf-8"))
        told = [Part({"refused": refused}, identify("refused", canonical(refused)))] if refused else []
        try:
            return [*super().parts(Place(folder / "files", place.work)), *told]
        except SourceError as error:
            raise SourceError(f"kaggle {self.dataset}, version {self.version}: {error}") from error

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """As `files`; a member of the archive that was not unpacked is a page with an error."""
        if "refused" not in part.where:
            return super().fetch(place, part)
        return (
            Page(f"refused/{number:06}/{name}", error="refused", detail=why)
            for number, (name, why) in enumerate(part.where["refused"])
        )

    def _bring(self, folder: Path) -> None:
        """Fetch and unpack beside `folder`, which appears whole or not at all."""
        fresh = folder.with_name(f".{folder.name}")
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / "files").mkdir(parents=True)
        client = _client()
        try:
            with contextlib.redirect_stdout(sys.stderr):  # it talks; stdout is ours
                client.dataset_download_files(
                    f"{self.dataset}/{self.version}", path=str(fresh), quiet=True, unzip=False
                )
        except (Exception, SystemExit) as error:  # noqa: BLE001  it raises what it likes, and ends the process for a wrong key
            shutil.rmtree(fresh, ignore_errors=True)
            raise SourceError(
                f"Kaggle gave no version {self.version} of {self.dataset}: {_told(error)}. Look at "
                f"kaggle.com/datasets/{self.dataset}: does that version exist, must its rules be accepted, is the key valid?"
            ) from None
        packed = fresh / f"{self.dataset.rpartition('/')[2]}.zip"
        try:
            refused = list(unpack(packed, fresh / "files", self.max_gib << 30))
        except (OSError, zipfile.BadZipFile) as error:
            raise SourceError(
                f"what Kaggle sent as {packed.name} is no archive that can be read: {error}. Build again to fetch it anew."
            ) from error
        (fresh / "refused.json").write_text(json.dumps(refused), encoding="utf-8")
        packed.unlink()
        fresh.rename(folder)


def _client() -> Any:
    """Kaggle's own client, with its key. Importing it reads the key, and ends the process where there is none."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            kaggle = import_module(
                "kaggle"
            )  # no dependency of gristmill: only who wants this source installs it
    except ImportError as error:
        raise MissingExtra(
            f"the source `kaggle` needs Kaggle's own client, which is not installed ({error}). Install it with: pip install kaggle"
        ) from None
    except (OSError, ValueError, SystemExit) as error:
        raise SourceError(
            f"Kaggle's client has no key: {_told(error)}. Make one at kaggle.com/settings (API, Create New Token), then "
            "export KAGGLE_USERNAME=… KAGGLE_KEY=…, or put the file it gives you at ~/.kaggle/kaggle.json. A recipe never holds a key."
        ) from None
    return kaggle.api


def _told(error: BaseException) -> str:
    """The error in one line, without the key."""
    text = " ".join(f"{type(error).__name__} {error}".split())[:300]
    for name in ("KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        if secret := os.environ.get(name):
            text = text.replace(secret, "…")
    return text


# ------------------------------------------------------------------------------------------------ the archive


def unpack(packed: Path, folder: Path, limit: int) -> Iterator[tuple[str, str]]:
    """Write an archive's files below `folder`, `limit` bytes at most; yields (name, why) of each member that is not written.

    Raises BadZipFile or OSError for what is no archive, SourceError for one that unpacks to more.
    """
    left, written = limit, set[str]()
    with zipfile.ZipFile(packed) as archive:
        for member in archive.infolist():
            if member.filename.endswith("/"):  # is_dir() fails on a name that is empty
                continue
            name = "/".join(part for part in member.filename.split("/") if part not in {"", "."})
            why = _unsafe(member) or ("an earlier member has its name" if name in written else "")
            target = folder / name
            if not why:
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    left -= _copy(archive, member, target, left)
                except (
                    zipfile.BadZipFile,
                    EOFError,
                    NotImplementedError,
                    RuntimeError,
                    OSError,
                    UnicodeError,
                ) as error:
                    why = f"it cannot be unpacked: {_told(error)}"
                    with contextlib.suppress(OSError, ValueError):
                        target.unlink(missing_ok=True)
            if why:
                yield plain(member.filename), why
            else:
                written.add(name)


def _unsafe(member: zipfile.ZipInfo) -> str:
    """Why a member may not be written: its name would lead elsewhere, or it is no plain file."""
    name, mode = member.filename, member.external_attr >> 16
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or name[1:2] == ":":
        return "its name leads out of the archive"
    if not name.strip("./") or any(ord(c) < 32 for c in name):
        return "its name is empty or holds control characters"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "it is a link or a device"
    return "it is encrypted" if member.flag_bits & 1 else ""


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int) -> int:
    """The bytes written; what the header says of their number is not believed."""
    size = 0
    with archive.open(member) as source, target.open("xb") as file:
        while block := source.read(BLOCK):
            size += len(block)
            if size > left:
                raise SourceError(
                    f"the archive unpacks to more than max_gib allows, at {member.filename!r}. If the data set is truly that large, raise max_gib."
                )
            file.write(block)
    return size
