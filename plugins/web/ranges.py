"""Ranges of large files over HTTP: a piece of one, or all of one in steps that memory can hold.

`get` fetches one hop, as `plugins.web.client.Client.get` does. Redirects are followed here, each to an address that `get` judges anew. A server
that is busy (429, 503) is asked again after what its Retry-After says, or ever longer pauses.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urljoin

from plugins.web.client import Response

STEP = 16 << 20
"""Bytes asked for at a time."""
MAX_HOPS = 5
TRIES = 6
PAUSE = 2.0
"""Seconds before the first of the further tries; doubled for each one more."""
MAX_PAUSE = 120.0
BUSY = frozenset({429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")

Get = Callable[[str, Mapping[str, str]], Awaitable[Response]]
Sleep = Callable[[float], Awaitable[None]]


class RangeError(Exception):
    """Why a file could not be had: `reason` is one word, a FetchError's or "status", "redirects" or "range"."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


async def patiently(
    get: Get, url: str, headers: Mapping[str, str] | None = None, *, sleep: Sleep = asyncio.sleep
) -> Response:
    """The answer to a GET that is neither "busy" nor a redirect. Raises RangeError after six busy answers or five redirects, and what `get` raises."""
    pause, tries, hops = PAUSE, 1, 0
    while True:
        response = await get(url, headers or {})
        location = response.header("location")
        if response.status in REDIRECTS and location:
            hops += 1
            if hops > MAX_HOPS:
                raise RangeError("redirects", f"more than {MAX_HOPS} in a row")
            url = urljoin(url, location)
        elif response.status in BUSY:
            if tries == TRIES:
                raise RangeError("status", f"{url}: {response.status}, {TRIES} times")
            asked = response.header("retry-after") or ""
            await sleep(min(MAX_PAUSE, float(asked[:9]) if asked.isascii() and asked.isdigit() else pause))
            pause, tries = 2 * pause, tries + 1
        else:
            return response


async def fetch_range(get: Get, url: str, offset: int, length: int, *, sleep: Sleep = asyncio.sleep) -> bytes:
    """Bytes [offset, offset + length) of a file. Raises RangeError for any other answer (RFC 9110 14.4): a server that sends all of a large
    file instead is not listened to."""
    response = await patiently(get, url, {"Range": f"bytes={offset}-{offset + length - 1}"}, sleep=sleep)
    if response.status != 206:
        raise RangeError("status", f"{url}: {response.status} {response.reason}; only 206 answers a range")
    if _place(response)[:2] != (offset, length):
        raise RangeError("range", f"{url}: asked for {length} bytes at {offset}; {_told(response)}")
    return response.body


async def download(get: Get, url: str, path: Path, *, step: int = STEP, sleep: Sleep = asyncio.sleep) -> None:
    """Bring a file to `path`, which appears when it is whole; a download that was cut off goes on, if the file is still the same one there
    (its ETag or Last-Modified). Raises RangeError, and what `get` raises."""
    piece, version = path.with_name(path.name + ".part"), path.with_name(path.name + ".version")
    had = version.read_text("utf-8") if version.exists() and piece.exists() else ""
    done, anew = (piece.stat().st_size if had else 0), False
    while True:
        response = await patiently(get, url, {"Range": f"bytes={done}-{done + step - 1}"}, sleep=sleep)
        told = response.header("etag") or response.header("last-modified") or ""
        if response.status == 200:  # all of it at once
            piece.write_bytes(response.body)
            break
        if done and (told != had or response.status == 416):
            if anew:
                raise RangeError("range", f"{url} changes while it is read")
            done, anew = 0, True
            continue
        if response.status != 206:
            raise RangeError("status", f"{url}: {response.status} {response.reason}")
        offset, length, total = _place(response)
        if offset != done or not length:
            raise RangeError("range", f"{url}: asked for bytes from {done} on; {_told(response)}")
        if not done:
            version.write_text(told, "utf-8")
            had = told
        with piece.open("ab" if done else "wb") as file:
            file.write(response.body)
        done += length
        if done >= total:
            break
    piece.replace(path)
    version.unlink(missing_ok=True)


def _place(response: Response) -> tuple[int, int, int]:
    """Offset, length and the file's size, as an answer states them and its body confirms; (-1, 0, 0) where they do not fit."""
    found = _CONTENT_RANGE.fullmatch(response.header("content-range") or "")
    if found is None:
        return -1, 0, 0
    first, last, total = (int(value) for value in found.groups())
    fits = last - first + 1 == len(response.body) and last < total
    return (first, len(response.body), total) if fits else (-1, 0, 0)


def _told(response: Response) -> str:
    return f'the answer is {len(response.body)} bytes, Content-Range "{(response.header("content-range") or "")[:60]}"'
