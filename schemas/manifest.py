"""`manifest.json`: what a version is, how it came to be, and the hash of every file of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import Corruption, Mismatch, NotFound

FORMAT = 3
"""Version of the layout in DESIGN section 4. A reader refuses a newer one. 2: table `signatures`, column `against` of `duplicates`. 3: column
`field` of `edits`, tables `cuts` and `learned`, stage `mix`."""

MANIFEST = "manifest.json"
MANIFEST_SHA = "manifest.json.sha256"


class Record(BaseModel):
    """A frozen part of the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FileRecord(Record):
    """One file of the version."""

    path: str
    """Relative to the version's directory."""
    sha256: str
    bytes: int
    rows: int | None = None
    """Rows of a Parquet file."""


class SourceRecord(Record):
    """One source as it was gathered."""

    name: str
    use: str
    digest: str
    """H of its (locator, content hash) pairs, in order."""
    pages: int
    bytes: int


class PhaseRecord(Record):
    """What a phase did, independent of what earlier builds had left to reuse."""

    name: str
    spec: str
    """Hash of its options, plugins, kernels and libraries."""
    counts: dict[str, int]
    """Rows in and out, by name."""


class LeakageCertificate(Record):
    """How much of val and test stands in train, measured on the published text."""

    ngram: int
    """Words in the n-grams compared."""
    bound: float
    """A document leaks when more than this share of its n-grams stands in train."""
    val_documents: int
    val_leaking: int
    val_mean_overlap: float
    test_documents: int
    test_leaking: int
    test_mean_overlap: float


class SplitRecord(Record):
    """Asked-for and actual shares of one split."""

    target: float
    groups: int
    documents: int
    chunks: int
    tokens: int


class TokenizerRecord(Record):
    """The tokenizer the chunks were cut with."""

    model: str
    digest: str
    """BLAKE2b of its tokenizer.json in canonical form."""
    eos_token_id: int
    format: str
    max_tokens: int
    template: str | None = None
    """Digest of the chat template, where the format uses one."""
    options: dict[str, Any] = {}
    """The format's options as the chunks were made with them, the text of a chat template among them: all that `chat` needs to speak it."""


class Manifest(Record):
    """The whole of it."""

    format_version: int = FORMAT
    name: str
    version: int
    fingerprint: str
    recipe: dict[str, Any]
    """The recipe in full, defaults included, [train] left out."""
    sections: str
    """H of the corpus sections of the recipe; `train` refuses a version whose sections differ from its recipe's."""
    sources: tuple[SourceRecord, ...]
    phases: tuple[PhaseRecord, ...]
    splits: dict[str, SplitRecord]
    leakage: LeakageCertificate
    tokenizer: TokenizerRecord
    timeouts: int
    """Pages that still hit a limit when tried alone; law 2 is claimed only where this is 0."""
    libraries: dict[str, str]
    """Versions of the distributions the result depends on."""
    files: tuple[FileRecord, ...]
    counts: dict[str, int]
    """pages, documents, rejects, chunks, tokens."""


def read_manifest(version: Path) -> Manifest:
    """Read and check a version's manifest against the hash beside it.

    Raises NotFound where there is none, Corruption where it is not what was written, Mismatch where a newer gristmill wrote it.
    """
    path = version / MANIFEST
    if not path.is_file():
        raise NotFound(f"{version} holds no {MANIFEST}: it is not a published version.")
    data = path.read_bytes()
    written = (
        (version / MANIFEST_SHA).read_text(encoding="ascii", errors="replace").split()
        if (version / MANIFEST_SHA).is_file()
        else []
    )
    if written[:1] != [hashlib.sha256(data).hexdigest()]:
        raise Corruption(
            f"{path} does not have the hash in {MANIFEST_SHA}: one of them changed after publishing. "
            f"Copy the version again from where it is whole; or rm -r {version}, and build its recipe: it makes the same bytes."
        )
    try:
        tables = json.loads(data)
        if tables.get("format_version", 0) > FORMAT:
            raise Mismatch(
                f"{version} has format {tables['format_version']}; this gristmill reads up to {FORMAT}. Upgrade gristmill."
            )
        return Manifest.model_validate(tables)
    except (ValueError, ValidationError) as error:
        raise Corruption(f"{path} is not a manifest: {error}") from error


def manifest_bytes(manifest: Manifest) -> bytes:
    """The bytes that are written: readable, sorted, ending in a newline."""
    return (
        json.dumps(manifest.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    ).encode()


def sha_line(data: bytes) -> str:
    """The content of `manifest.json.sha256`, as `sha256sum -c` reads it."""
    return f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n"
