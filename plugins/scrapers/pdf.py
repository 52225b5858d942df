"""PDF files: the text layer, one page of ours a file.

    [[source]]
    use = "pdf"
    path = "manuals/**/*.pdf"

PDFium (by pypdfium2) reads the characters in the order in which the file draws them; nothing is recognised from pictures, so a scan
without a text layer has fate `no-text`. The pages of a file are joined by blank lines. Running headers, footers and page numbers stay:
they are lines like others, and a cleaner (`regex`, or one of your own) sees in `edits` what it took.

How words cut at a line's end are joined: `pdf_child.py`.

PDFium is C++ and meets files made to break it, so it runs in a child process, under limits of CPU time and memory for every file; a file
that ends the child is tried once more with four times as much, as pages are in extraction, and costs itself and nothing else.
Rejected: multiprocessing's spawn for it, which would run the user's script anew.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, Self

from pydantic import Field

from plugins.contracts import Locates, Page, Part, Place, Scraper
from plugins.scrapers.columns import plain
from plugins.scrapers.globs import Match, find, is_utf8
from schemas.errors import SourceError, TaskFailed, missing_extra
from schemas.fingerprint import digest, digest_file, identify

BATCH_FILES = 16
"""Files in a part, on average; a part ends after a file whose name says so, so that a new file disturbs one part."""
MAX_BATCH = 128
RETRY_FACTOR = 4
WALL_FACTOR, WALL_SECONDS = 10, 30
"""Seconds on the clock: so many times those of CPU, and so many more; for what sleeps."""
START_SECONDS = 120


class Pdf(Scraper):
    """The text layer of PDF files, one page a file, with title, author and number of pages as the file states them."""

    name = "pdf"
    requires: ClassVar[tuple[str, ...]] = ("pypdfium2",)
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.scrapers.globs",
        "plugins.scrapers.columns",
        "plugins.scrapers.media",
        "plugins.scrapers.pdf_child",
    )

    path: Annotated[str | tuple[str, ...], Locates(), Field(min_length=1)]
    """One glob or several, relative to the recipe: "papers/**/*.pdf"."""
    license_value: str | None = None
    """The licence of every file."""
    cpu_seconds: int = Field(default=60, ge=1)
    """What a file may take; one that takes more is tried once more with four times as much, then has fate `timeout`."""
    memory_mib: int = Field(default=2048, ge=64)
    """The same for memory, fate `memory` or `crashed`."""

    def parts(self, place: Place) -> Sequence[Part]:
        """Files in batches, known by their content. Raises SourceError for a glob without files, MissingExtra without pypdfium2."""
        try:
            import pypdfium2  # type: ignore[import-untyped]  # noqa: F401  asked for here, before any work
        except ImportError:
            raise missing_extra("pdf", "the source `pdf`") from None
        patterns = (self.path,) if isinstance(self.path, str) else self.path
        return list(_batches(find(patterns, place.base)))

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The files of a batch; one that gives no text is a page with an error."""
        with _Reader(self.cpu_seconds, self.memory_mib) as reader:
            for locator, path, error, content in part.where["files"]:
                page = Page(locator, raw_path=locator, license=self.license_value)
                told = {"error": "unreadable", "detail": error} if error else reader.read(path)
                if error is None and _digest(path) != content:
                    # What was read would be remembered as what was hashed.
                    raise SourceError(
                        f"{path} was rewritten while it was read. Build again when it is at rest."
                    )
                yield _filled(page, told)


def _batches(matches: Sequence[Match]) -> Iterator[Part]:
    batch: list[list[str | None]] = []
    for match in matches:
        error = match.error or (None if is_utf8(match.path) else "its name is not UTF-8; rename it")
        content = None if error else _digest(match.path)
        if error is None and content is None:
            error = "it cannot be opened"
        batch.append([match.locator, match.path, error, content])
        ends = int(digest(match.locator.encode()), 16) % BATCH_FILES == 0
        if ends or len(batch) == MAX_BATCH or match is matches[-1]:
            known = identify(*(f"{locator}\0{error}\0{content}" for locator, _, error, content in batch))
            # What could not be opened may be there next time.
            yield Part({"files": batch}, known if all(content for *_, content in batch) else None)
            batch = []


def _digest(path: str) -> str | None:
    try:
        return digest_file(Path(path))
    except OSError:
        return None


def _filled(page: Page, told: dict[str, Any]) -> Page:
    """The page with what the child told of the file."""
    page.metadata = told.get("metadata", {})
    if told.get("error"):
        page.error, page.detail = told["error"], " ".join(str(told.get("detail")).split())[:500]
        return page
    page.title, page.author = told["title"], told["author"]
    page.content_type, page.content = "text/plain; charset=utf-8", plain(told["text"]).encode()
    return page


# ------------------------------------------------------------------------------------------------ the child, seen from here


class _Reader:
    """A child process that reads one file after another, started when needed and again after each death."""

    def __init__(self, cpu_seconds: int, memory_mib: int) -> None:
        self._limits = (cpu_seconds, memory_mib)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def read(self, path: str) -> dict[str, Any]:
        """What `read_file` says of the file, or what became of the child: error timeout, memory or crashed."""
        told = self._ask(path, 1)
        return (
            self._ask(path, RETRY_FACTOR) if told.get("error") in {"timeout", "memory", "crashed"} else told
        )

    def _ask(self, path: str, factor: int) -> dict[str, Any]:
        seconds, mib = (limit * factor for limit in self._limits)
        child = self._child = self._child or _start()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps([path, seconds, mib]).encode() + b"\n")
            child.stdin.flush()
            answer = _line(child.stdout, WALL_FACTOR * seconds + WALL_SECONDS)
        except BrokenPipeError:
            answer = b""
        if answer:
            return json.loads(answer)
        late = answer is None
        code = self._stop()
        if late or code == -signal.SIGXCPU:
            return {"error": "timeout", "detail": f"more than {seconds} CPU seconds"}
        return {
            "error": "crashed",
            "detail": f"PDFium ended with {signal.Signals(-code).name if code < 0 else code}",
        }

    def _stop(self) -> int:
        """End the child; its exit code, which is minus the signal where it died before."""
        child, self._child = self._child, None
        if child is None:
            return 0
        with child:
            if child.stdin is not None:
                try:
                    child.stdin.close()
                except BrokenPipeError:
                    pass  # it is dead already
            try:
                return child.wait(timeout=1)
            except subprocess.TimeoutExpired:
                child.kill()
                return child.wait()


def _start() -> subprocess.Popen[bytes]:
    """Python anew, with our own import path, and neither the caller's main module nor its working folder on it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    call = [sys.executable, "-P", "-c", "from plugins.scrapers.pdf_child import serve; serve()"]
    child = subprocess.Popen(
        call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    assert child.stdout is not None
    if not _line(child.stdout, START_SECONDS):
        child.kill()
        child.communicate()
        raise TaskFailed(
            f"{sys.executable} cannot start to read PDF files; `gristmill doctor` says what works here"
        )
    return child


def _line(file: IO[bytes], seconds: float) -> bytes | None:
    """One line; empty where the child died, None where it did not answer in time."""
    import selectors
    import time

    end, found = time.monotonic() + seconds, bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        while not found.endswith(b"\n"):
            if not selector.select(max(0.0, end - time.monotonic())):
                return None
            block = os.read(file.fileno(), 1 << 20)
            if not block:
                return b""
            found += block
    return bytes(found)
