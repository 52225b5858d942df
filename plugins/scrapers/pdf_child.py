r"""The inside of the child that reads PDF files: PDFium's characters as text. Imports little.

**Hyphens.** A word cut at a line's end is joined by the first rule that holds, "words" being those of this file that no line end cuts:
the compound is such a word ("well-known"): it keeps its hyphen; the two parts together are one ("example"): the hyphen goes; both parts
are words themselves: it stays; else it goes. A cut before a digit or a capital is left alone ("pages 3-\n4", "Anglo-\nSaxon").
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plugins.scrapers.media import MAX_PAGE_BYTES

PASSWORD = 4
"""FPDF_ERR_PASSWORD of PDFium's fpdfview.h."""


def serve() -> None:
    """Answer for one path after another until the input ends; what PDFium prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    answers.write(b"{}\n")  # here I am
    answers.flush()
    for line in sys.stdin.buffer:
        path, seconds, mib = json.loads(line)
        _limit(seconds, mib)
        try:
            told = read_file(path)
        except MemoryError:
            told = {"error": "memory", "detail": f"more than {mib} MiB"}
        except Exception as error:  # noqa: BLE001  a file may make the library raise anything, and is then what is wrong
            told = {"error": "malformed", "detail": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(told).encode() + b"\n")
        answers.flush()


def _limit(seconds: int, mib: int) -> None:
    """CPU time and address space as they are now and so much more (macOS refuses the latter: there the machine's own limit holds)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime) + 1 + seconds
    wanted = [(resource.RLIMIT_CPU, cpu)]
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        wanted.append((resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + (mib << 20)))
    except OSError:
        pass  # no /proc, no limit of memory
    for kind, soft in wanted:
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def read_file(path: str) -> dict[str, Any]:
    """text, title, author and metadata of a PDF file; or error (encrypted, no-text, malformed, too-large, unreadable) and detail."""
    import pypdfium2  # type: ignore[import-untyped]

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code == PASSWORD:
            return {"error": "encrypted", "detail": "it opens with a password only; save a copy without one"}
        return {"error": "malformed", "detail": str(error)}
    except OSError as error:
        return {"error": "unreadable", "detail": error.strerror}
    with document:
        stated = {
            key: " ".join(value.replace("\0", "").split())
            for key, value in document.get_metadata_dict().items()
        }
        metadata: dict[str, Any] = {"pages": len(document)}
        if created := _date(stated.get("CreationDate", "")):
            metadata["created"] = created
        pages, size = [], 0
        for number in range(len(document)):
            try:
                page = document[number]
                pages.append(page.get_textpage().get_text_bounded())
                page.close()  # with what was taken of it
            except pypdfium2.PdfiumError as error:
                return {"error": "malformed", "detail": f"page {number + 1}: {error}", "metadata": metadata}
            size += len(pages[-1])
            if size > MAX_PAGE_BYTES:
                return {
                    "error": "too-large",
                    "detail": f"more than {MAX_PAGE_BYTES} characters",
                    "metadata": metadata,
                }
    blank = sum(not page.strip() for page in pages)
    if blank:
        metadata["pages_without_text"] = blank
    if blank == len(pages):
        return {
            "error": "no-text",
            "detail": f"none of its {len(pages)} pages has a text layer",
            "metadata": metadata,
        }
    return {
        "text": joined(pages),
        "title": stated.get("Title") or None,
        "author": stated.get("Author") or None,
        "metadata": metadata,
    }


# ------------------------------------------------------------------------------------------------ text

_CUT = re.compile(r"([^\W\d_]+)(?:\x02|\ufffe|-\n|\u2010\n|\xad\n)([^\W\d_]+)")
"""A word's two parts: PDFium writes U+0002 (U+FFFE in its older call) for a hyphen and line end that it takes for one word's."""
_MARK = re.compile("[\x02\ufffe]")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_ODD = re.compile(r"[\0-\x08\x0b-\x1f\x7f]")


def joined(pages: Sequence[str]) -> str:
    r"""The pages' texts with blank lines between them, and words that a line end cuts made whole (the rule is above).

    >>> joined(["An exam-\r\nple of a well-\r\nknown thing: an example.", "It is well-known."])
    'An example of a well-known thing: an example.\n\nIt is well-known.'
    """
    lines = [
        "\n".join(line.rstrip() for line in page.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        for page in pages
    ]
    text = "\n\n".join(part for page in lines if (part := page.strip("\n")))
    words = {word.lower() for word in _WORD.findall(_CUT.sub(" ", text))}

    def whole(found: re.Match[str]) -> str:
        left, right = found[1], found[2]
        if not right[0].islower():
            return found[0]
        compound = f"{left}-{right}".lower() in words
        keeps = compound or ((left + right).lower() not in words and {left.lower(), right.lower()} <= words)
        return f"{left}{'-' if keeps else ''}{right}"

    return _ODD.sub("", _MARK.sub("-", _CUT.sub(whole, text)))


def _date(value: str) -> str | None:
    """A date of ISO 32000-1, 7.9.4, "D:20200102030405+01'00'", as ISO 8601 without time.

    >>> _date("D:20200102030405+01'00'"), _date("D:2020"), _date("yesterday")
    ('2020-01-02', '2020', None)
    """
    found = re.match(r"(?:D:)?(\d{4})(?:(\d{2})(\d{2})?)?", value)
    return "-".join(filter(None, found.groups())) if found else None
