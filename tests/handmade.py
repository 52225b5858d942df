"""A small published version made by hand, without a build: for tests of whatever reads versions.

    from handmade import Contents, contents, write_version

Six pages: one kept document in each split (train two), a near-duplicate, one too short, and a page that yielded nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.fingerprint import digest, fingerprint, identify, sha256_file
from schemas.manifest import (
    MANIFEST,
    MANIFEST_SHA,
    FileRecord,
    LeakageCertificate,
    Manifest,
    PhaseRecord,
    SourceRecord,
    SplitRecord,
    TokenizerRecord,
    manifest_bytes,
    sha_line,
)
from schemas.store import SPLITS, VersionPath
from schemas.tables import PUBLISHED

EOS = 0
SCORES = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("lang", pa.string()),
    pa.field("lang_score", pa.float32()),
    pa.field("n_words", pa.int64()),
])
SCHEMAS = {**PUBLISHED, "scores": SCORES}
TEXTS = {
    "inn.html": ("train", "The innkeeper looks up. Rain runs down the window, and nobody speaks."),
    "road.html": ("train", "The road was long; “shorter than the last,” she said, and laughed."),
    "ford.html": ("val", "At the ford the water stood high, brown and fast after a night of rain."),
    "mill.html": ("test", "The miller counts his sacks twice, and the third time he counts them wrong."),
    "inn-again.html": (None, "The innkeeper looks up. Rain runs down the window, and nobody speaks!"),
    "short.html": (None, "Hm."),
}


@dataclass
class Contents:
    """Rows by table; change them before `write_version` to make a version that breaks a law."""

    tables: dict[str, list[dict[str, Any]]]
    splits: dict[str, SplitRecord] = field(default_factory=dict)


def page_of(locator: str) -> str:
    return identify("files", locator)


def doc_of(locator: str) -> str:
    return identify(page_of(locator), "")


def contents() -> Contents:
    """A version that obeys every law."""
    tables: dict[str, list[dict[str, Any]]] = {table: [] for table in SCHEMAS}
    for locator, (split, text) in TEXTS.items():
        _document(tables, locator, split, text)
    tables["pages"].append(_page("empty.html"))
    tables["fates"].append(_fate("empty.html", None, "extract", "empty"))
    tables["duplicates"].append({
        "doc_id": doc_of("inn-again.html"),
        "survivor_id": doc_of("inn.html"),
        "similarity": 0.9,
        "method": "fuzzy",
    })
    tables["edits"].append({
        "doc_id": doc_of("road.html"),
        "step": "0:unicode",
        "turn": None,
        "start": 4,
        "end": 5,
        "before": "ﬁ",
        "after": "fi",
    })
    tables["learned"].append({
        "step": "1:boilerplate",
        "scope": "files",
        "line": "Click to read more",
        "n_pages": 4,
        "n_scope_pages": 7,
        "n_removed": 0,
    })
    splits = {
        split: SplitRecord(
            target={"train": 0.8}.get(split, 0.1),
            groups=len(rows := [row for row in tables["documents"] if row["split"] == split]),
            documents=len(rows),
            chunks=sum(row["split"] == split for row in tables["chunks"]),
            tokens=sum(row["n_tokens"] for row in rows),
        )
        for split in SPLITS
    }
    return Contents(tables, splits)


def _document(tables: dict[str, list[dict[str, Any]]], locator: str, split: str | None, text: str) -> None:
    doc_id, survivor = doc_of(locator), None
    tables["pages"].append(_page(locator))
    chunks = _chunks(doc_id, split, text) if split else []
    row = {
        "doc_id": doc_id,
        "page_id": page_of(locator),
        "source": "files",
        "title": locator.removesuffix(".html"),
        "text": text,
        "lang": "en",
        "lang_score": 0.98,
        "group_id": doc_id if split else None,
        "split": split,
        "n_chars": len(text),
        "n_tokens": sum(chunk["n_tokens"] for chunk in chunks) or None,
        "content_hash": digest(text.encode()),
        "metadata": "{}",
    }
    tables["documents" if split else "rejects"].append(row)
    tables["chunks"] += chunks
    tables["cuts"] += [
        {"doc_id": doc_id, "position": 0, "level": "word", "n_lost": 0, "n_repeated": 0} for _ in chunks[1:]
    ]
    tables["signatures"].append({
        "doc_id": doc_id,
        "content_hash": digest(text.encode()),
        "exact_hash": digest(text.encode()),
        "n_shingles": 1,
    })
    tables["scores"].append({
        "doc_id": doc_id,
        "lang": "en",
        "lang_score": 0.98,
        "n_words": len(text.split()),
    })
    if split:
        tables["groups"].append({"group_id": doc_id, "component": doc_id, "split": split, "n_documents": 1})
        tables["fates"].append(_fate(locator, doc_id, "kept", None))
    elif locator == "short.html":
        tables["fates"].append(_fate(locator, doc_id, "filter", "length:short"))
    else:
        survivor = doc_of("inn.html")
        tables["fates"].append(_fate(locator, doc_id, "dedup", "fuzzy", survivor))


def _page(locator: str) -> dict[str, Any]:
    return {
        "page_id": page_of(locator),
        "source": "files",
        "locator": locator,
        "fetched_at": datetime(2026, 11, 24, tzinfo=UTC) if locator == "ford.html" else None,
        "content_type": "text/html",
        "content_hash": digest(locator.encode()),
        "raw_path": f"data/{locator}",
    }


def _fate(
    locator: str, doc_id: str | None, stage: str, reason: str | None, survivor: str | None = None
) -> dict[str, Any]:
    return {
        "page_id": page_of(locator),
        "doc_id": doc_id,
        "source": "files",
        "stage": stage,
        "reason": reason,
        "survivor_id": survivor,
    }


def _chunks(doc_id: str, split: str, text: str) -> list[dict[str, Any]]:
    """Two chunks of letters as tokens (their code point modulo 250), EOS at the end."""
    middle = len(text) // 2
    rows = []
    for position, (start, end) in enumerate(((0, middle), (middle, len(text)))):
        ids = [ord(letter) % 250 + 1 for letter in text[start:end]] + ([EOS] if position else [])
        rows.append({
            "chunk_id": identify(doc_id, str(position)),
            "doc_id": doc_id,
            "group_id": doc_id,
            "split": split,
            "position": position,
            "char_start": start,
            "char_end": end,
            "n_tokens": len(ids),
            "n_trained": len(ids),
            "input_ids": ids,
            "labels": ids,
        })
    return rows


def write_version(
    root: Path, name: str = "hearthside", number: int = 1, made: Contents | None = None
) -> VersionPath:
    """Write `made` (by default `contents()`) as version `number` of `name` under `root`, with a manifest that fits it."""
    made = made or contents()
    folder = root / "corpora" / name / f"v{number}"
    for table, rows in made.tables.items():
        for prefix, part in _files(table, rows):
            path = folder / table / f"{prefix}-00000.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            written = pa.Table.from_pylist(part, schema=SCHEMAS[table])
            pq.write_table(written, path, compression="zstd", write_page_checksum=True)
    (folder / "README.md").write_text(f"# {name}\n\nMade by hand for a test.\n", encoding="utf-8")
    data = manifest_bytes(_manifest(folder, name, number, made))
    (folder / MANIFEST_SHA).write_text(sha_line(data), encoding="ascii")
    (folder / MANIFEST).write_bytes(data)
    return VersionPath(name, number, folder)


def _files(table: str, rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    if table not in {"documents", "chunks"}:
        return [("part", rows)]
    by_split = [(split, [row for row in rows if row["split"] == split]) for split in SPLITS]
    return [(split, part) for split, part in by_split if part or split == "train"]


def _manifest(folder: Path, name: str, number: int, made: Contents) -> Manifest:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    counts = {table: len(made.tables[table]) for table in ("pages", "documents", "rejects", "chunks")}
    return Manifest(
        name=name,
        version=number,
        fingerprint=fingerprint([name, number]),
        recipe={"name": name, "source": [{"use": "files", "path": "data/*.html"}]},
        sections=fingerprint("sections"),
        sources=(
            SourceRecord(
                name="files", use="files", digest=fingerprint("source"), pages=counts["pages"], bytes=4096
            ),
        ),
        phases=(PhaseRecord(name="gather", spec=fingerprint("gather"), counts={"pages": counts["pages"]}),),
        splits=made.splits,
        leakage=LeakageCertificate(
            ngram=13,
            bound=0.2,
            val_documents=1,
            val_leaking=0,
            val_mean_overlap=0.0,
            test_documents=1,
            test_leaking=0,
            test_mean_overlap=0.0,
        ),
        tokenizer=TokenizerRecord(
            model="handmade", digest=fingerprint("tokenizer"), eos_token_id=EOS, format="text", max_tokens=64
        ),
        timeouts=0,
        libraries={"pyarrow": pa.__version__},
        files=tuple(
            FileRecord(
                path=path.relative_to(folder).as_posix(),
                sha256=sha256_file(path),
                bytes=path.stat().st_size,
                rows=pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None,
            )
            for path in paths
        ),
        counts={**counts, "tokens": sum(row["n_tokens"] for row in made.tables["chunks"])},
    )
