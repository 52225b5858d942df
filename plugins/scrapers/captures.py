"""The names of captures, unique over all files of a source; and what `warc` fetches, kept on disk.

Two captures may share an address and a second, in one file or in several, but a page's name stands for one page. Since files are read by
tasks that know nothing of each other, each is told how often its names occur in the files before it, as far as they do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plugins.web.common_crawl import Capture, IndexFault, captures, fetch_capture
from plugins.web.ranges import RangeError, download
from plugins.web.warc_reading import WarcFault, WarcRecord, records
from plugins.web.warc_streams import MAGICS
from schemas.errors import SourceError
from schemas.fingerprint import canonical, identify

if TYPE_CHECKING:
    from plugins.scrapers.warc import CommonCrawl
    from plugins.web.client import Client

NAMED = frozenset({"response", "resource", "conversion", "revisit"})
"""Records that may be pages."""


def is_web(url: str | None) -> bool:
    """Whether it is an address of http."""
    return (url or "").lower().startswith(("http://", "https://"))


def key_of(item: WarcRecord | WarcFault) -> str | None:
    """Address and second of a capture, as one name; None where it is none, or none of http.

    >>> key_of(WarcFault(0, 0, "digest", "", "http://a/", None, "response"))
    'http://a/@00000000000000'
    """
    if item.type not in NAMED or not is_web(item.url):
        return None
    return f"{item.url}@{item.date.strftime('%Y%m%d%H%M%S') if item.date else '0' * 14:>014}"


def short(key: str) -> int:
    """A name as a number of 64 bits. Where two share it, one of them gets a "#2" that it could do without."""
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest(), "little")


class Names:
    """Gives out names, each once; `earlier` is how often they were given out before, by their number in hexadecimal."""

    def __init__(self, earlier: Mapping[str, int]) -> None:
        self._given = {int(key, 16): number for key, number in earlier.items()}

    def name(self, key: str) -> str:
        """The name, with its count from the second time on."""
        known = short(key)
        count = self._given[known] = self._given.get(known, 0) + 1
        return key if count == 1 else f"{key}#{count}"


def shared_names(
    files: Sequence[tuple[str, str]], last: Sequence[str], cache: Path
) -> Iterator[dict[str, int]]:
    """For each (path, digest), then for the names `last`: which of its names occur before it, and how often. Names of a file are kept in
    `cache` under its digest; 8 bytes each are held in memory."""
    groups = [np.array([short(key) for key in last], dtype=np.uint64)]
    if len(files) > 1 or (files and last):
        groups = [*(_names(Path(path), cache / f"{digest}.names") for path, digest in files), *groups]
    else:
        groups = [np.empty(0, dtype=np.uint64) for _ in files] + groups
    each = [np.unique(group) for group in groups]
    known, count = np.unique(np.concatenate(each), return_counts=True)
    shared = known[count > 1]
    given: dict[int, int] = {}
    for group in groups:
        met = [int(key) for key in group[np.isin(group, shared)]]
        yield {f"{key:016x}": given[key] for key in sorted(set(met)) if key in given}
        for key in met:
            given[key] = given.get(key, 0) + 1


def _names(path: Path, kept: Path) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The numbers of a file's names, in order."""
    if kept.exists():
        return np.fromfile(kept, dtype="<u8").astype(np.uint64)
    numbers = np.array([short(key) for item in records(path) if (key := key_of(item))], dtype="<u8")
    _place(kept, numbers.tobytes())
    return numbers.astype(np.uint64)


def _place(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    piece = path.with_name(path.name + ".new")
    piece.write_bytes(data)
    piece.replace(path)


# ------------------------------------------------------------------------------------------------ fetching


async def fetched_files(
    client: Client, urls: Sequence[str], folder: Path
) -> list[tuple[str, str, str | None]]:
    """(address, path, why it could not be had) of archives in `folder`, which exists; those that are there already are not asked for again. Their names on disk come
    from hashes of the addresses, never from the network."""
    from plugins.web.client import FetchError

    found: list[tuple[str, str, str | None]] = []
    async with client:
        for url in dict.fromkeys(urls):
            path, error = folder / identify(url), None
            try:
                if not path.exists():
                    await download(client.get, url, path)
            except (FetchError, RangeError) as failure:
                error = f"{failure.reason}: {failure.detail}"
            found.append((url, str(path), error))
    return found


async def looked_up(client: Client, asked: CommonCrawl, folder: Path) -> list[dict[str, Any]]:
    """What the index says of the captures that are wanted, as JSON values; asked once, since the index of a crawl does not change. Raises
    SourceError where it cannot be asked."""
    from plugins.web.client import FetchError

    kept = folder / (identify(canonical(asked.model_dump(mode="json"))) + ".json")
    if kept.exists():
        return json.loads(kept.read_text("utf-8"))
    try:
        async with client:
            found = await captures(client.get, asked.index, asked.match, asked.limit)
    except (IndexFault, FetchError) as error:
        raise SourceError(f"common_crawl: {error}") from None
    told = [_as_json(n, item) for n, item in enumerate(found)]
    _place(kept, json.dumps(told).encode())
    return told


def _as_json(number: int, item: Capture | str) -> dict[str, Any]:
    if isinstance(item, str):
        return {"locator": f"index#{number:09}", "fault": item}
    stated = {
        key: getattr(item, key)
        for key in ("filename", "offset", "length", "url", "timestamp", "status", "mime")
    }
    return stated | {"key": f"{item.url}@{item.timestamp}"}


async def fetched_captures(client: Callable[[], Client], wanted: list[dict[str, Any]], folder: Path) -> None:
    """Fetch what is not on disk yet, and note in each item its `file`, or why it `failed` as (word, detail)."""
    from plugins.web.client import FetchError

    missing = []
    for item in wanted:
        path = folder / identify(item["filename"], str(item["offset"]), str(item["length"]))
        item["file"] = str(path)
        missing += [] if path.exists() else [item]
    if not missing:
        return
    async with client() as open_client:
        for item in missing:
            capture = Capture(
                item["filename"], item["offset"], item["length"], item["url"], item["timestamp"]
            )
            try:
                data = await fetch_capture(open_client.get, capture)
            except (FetchError, RangeError) as failure:
                item["failed"] = (failure.reason, failure.detail)
                continue
            if data.startswith(MAGICS["gz"]):
                _place(Path(item["file"]), data)
            else:
                item["failed"] = ("malformed", f"no gzip member is there, but {data[:16]!r}")
