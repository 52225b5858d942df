"""Canonical JSON and the hashes made from it.

All identities are BLAKE2b (RFC 7693) cut to 128 bits, as 32 lower-case hex digits: wide enough that a billion
pages meet no accidental collision (birthday bound 1e-21), and, unlike xxhash, not open to planted ones.
Files are hashed with SHA-256, since that is what people check files with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DIGEST_BYTES = 16
"""128 bits."""


def canonical(value: Any) -> str:
    """`value` as JSON with sorted keys, no spaces and no NaN: equal values give equal text.

    >>> canonical({"b": 1, "a": [1.0, None]})
    '{"a":[1.0,null],"b":1}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_plain
    )


def fingerprint(value: Any) -> str:
    """The identity of a JSON-like value.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    return digest(canonical(value).encode())


def digest(data: bytes | memoryview) -> str:
    """The identity of bytes: 32 hex digits."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def identify(*parts: str) -> str:
    """The identity of a tuple of strings; no two different tuples are written alike.

    >>> identify("a", "bc") == identify("ab", "c")
    False
    """
    hasher = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_file(path: Path) -> str:
    """`digest` of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no canonical JSON")
