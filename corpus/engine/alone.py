"""One build or crawl of a name at a time: a second would race it for the next version number, and for what it gathers."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import StorageError, UserError
from schemas.store import Store


@contextmanager
def alone(store: Store, name: str) -> Iterator[None]:
    """Hold the name's lock. Raises UserError where another process does, StorageError where the root cannot be written."""
    _writable(store)
    with (store.work / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f'another build or crawl of "{name}" is running under {store.root}. Wait for it, or choose another --root.'
            ) from None
        yield


def _writable(store: Store) -> None:
    """Fail before any work where the root cannot be written."""
    try:
        for folder in (store.work, store.corpora):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise StorageError(
            f"{store.root} cannot be written: {error.strerror}. Versions and work lie there; choose another folder with --root."
        ) from error
