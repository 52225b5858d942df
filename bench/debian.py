"""The throughput corpus: the HTML pages of Debian's documentation packages, in many languages, as text in Parquet.

Nothing is installed: packages are fetched by `apt-get download` and unpacked by `dpkg-deb -x`. HTML becomes text once, by
Resiliparse, and every contestant reads the same Parquet. Versions of one manual are natural near-duplicates.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from plugins.extractors.encoding import NotText, decode
from plugins.extractors.resiliparse import Resiliparse
from schemas.fingerprint import identify

LIST = """
debian-handbook harden-doc live-manual-html installation-guide-amd64 postgresql-doc-15 python3.11-doc sqlite3-doc python-django-doc
llvm-15-doc llvm-16-doc clang-13-doc clang-14-doc clang-15-doc clang-16-doc linux-doc-6.1 libboost1.74-doc libboost1.81-doc
debian-reference-en debian-reference-de debian-reference-fr debian-reference-ja debian-reference-zh-cn
debian-reference-es debian-reference-it debian-reference-pt
developers-reference developers-reference-de developers-reference-fr developers-reference-ja developers-reference-ru
aptitude-doc-en aptitude-doc-cs aptitude-doc-es aptitude-doc-fi aptitude-doc-fr aptitude-doc-it aptitude-doc-ja aptitude-doc-nl aptitude-doc-ru
libreoffice-help-en-us libreoffice-help-de libreoffice-help-es libreoffice-help-fr libreoffice-help-ja libreoffice-help-ru
debian-faq debian-faq-de debian-faq-fr debian-faq-it debian-faq-ja debian-faq-ko debian-faq-ru
"""
PACKAGES = tuple(LIST.split())

SCHEMA = pa.schema([("doc_id", pa.string()), ("url", pa.string()), ("text", pa.large_string())])
FILE_ROWS = 1024
"""Rows of a corpus file: small enough that two workers end together."""


@dataclass(frozen=True)
class Corpus:
    """What was built."""

    packages: int
    pages: int
    documents: int
    megabytes: float
    """Of UTF-8 text, in 10^6 bytes."""


def fetch(folder: Path) -> None:
    """Download the packages that `folder` lacks. Names those that cannot be had, and goes on without them."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PACKAGES if not any(folder.glob(f"{name}_*.deb"))]
    if not missing:
        return
    if subprocess.run(["apt-get", "update", "-q"], check=False, capture_output=True).returncode:
        _say("apt-get update failed; trying with the package lists that are here")
    for name in missing:
        done = subprocess.run(
            ["apt-get", "download", "-q", name], cwd=folder, check=False, capture_output=True, text=True
        )
        if done.returncode:
            _say(f"{name} cannot be had: {done.stderr.strip().splitlines()[-1:]}")


def unpack(packages: Path, html: Path) -> None:
    """Unpack each package to `html/<package>`, once."""
    for package in sorted(packages.glob("*.deb")):
        place = html / package.name.partition("_")[0]
        if place.exists():
            continue
        scratch = place.with_name(f".{place.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        subprocess.run(["dpkg-deb", "-x", str(package), str(scratch)], check=True)
        scratch.rename(place)


def pages(html: Path) -> list[Path]:
    """Every HTML page as a file of its own, by path; links are left out."""
    return sorted(
        Path(folder, name)
        for folder, _, names in os.walk(html)
        for name in names
        if name.endswith((".html", ".htm")) and not Path(folder, name).is_symlink()
    )


def build(root: Path, workers: int = 2) -> Corpus:
    """Make `root/corpus/*.parquet`, or find it there. Raises RuntimeError where no package could be had."""
    html, corpus = root / "html", root / "corpus"
    if not corpus.exists():
        fetch(root / "packages")
        unpack(root / "packages", html)
        scratch = root / "corpus.new"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        found = pages(html)
        if not found:
            raise RuntimeError("no HTML page: none of the packages could be fetched")
        _say(f"{len(found)} pages to text")
        parts = [found[start : start + FILE_ROWS] for start in range(0, len(found), FILE_ROWS)]
        with ProcessPoolExecutor(workers) as pool:
            for number, _ in enumerate(pool.map(_write, parts, [html] * len(parts), _names(scratch))):
                if number % 10 == 9:
                    _say(f"{(number + 1) * FILE_ROWS} of {len(found)} pages")
        scratch.rename(corpus)
    return survey(root)


def survey(root: Path) -> Corpus:
    """The counts of a corpus that was built."""
    files = sorted((root / "corpus").glob("*.parquet"))
    tables = [pq.read_table(path, columns=["text"]) for path in files]
    size = sum(pc.sum(pc.binary_length(table["text"])).as_py() or 0 for table in tables)
    rows = sum(table.num_rows for table in tables)
    packages = sum(1 for _ in (root / "packages").glob("*.deb"))
    return Corpus(packages, len(pages(root / "html")), rows, size / 1e6)


def _names(folder: Path) -> Iterator[str]:
    number = 0
    while True:
        yield str(folder / f"{number:05}.parquet")
        number += 1


def _write(paths: list[Path], html: Path, output: str) -> None:
    extractor = Resiliparse()
    rows = []
    for path in paths:
        url = str(path.relative_to(html))
        try:
            text = extractor.extract(decode(path.read_bytes(), "text/html", html=True).text)
        except NotText:
            continue
        if text and text.strip():
            rows.append({"doc_id": identify(url), "url": url, "text": text})
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), output)


def sample(corpus: Path, documents: int, output: Path) -> Path:
    """A folder of two Parquet files with `documents` of the corpus, evenly spread; the corpus itself where it holds no more."""
    files = sorted(corpus.glob("*.parquet"))
    whole = pa.concat_tables([pq.read_table(path) for path in files])
    if documents <= 0 or documents >= whole.num_rows:
        return corpus
    chosen = whole.take([number * whole.num_rows // documents for number in range(documents)])
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    half = (documents + 1) // 2
    for number in range(2):
        pq.write_table(chosen.slice(number * half, half), output / f"{number:05}.parquet")
    return output


def _say(line: str) -> None:
    print(f"corpus: {line}", file=sys.stderr, flush=True)
