"""Declared groups: which documents must not be torn apart, as the recipe's `[split] group` says.

    auto, thread, work   the thread or work the page belongs to; a page of none is a group of its own
    site                 the host of its URL; without one it is a group of its own
    document             every document is a group of its own
    any other            documents with the same value in the column of that name; null is a group of its own

A group's id does not change from build to build: it is made of what declares the group, or is the doc_id.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pyarrow as pa

from schemas.errors import SplitError, nearest
from schemas.fingerprint import identify

THREAD = ("auto", "thread", "work")
RESERVED = (*THREAD, "site", "document")


def group_ids(documents: pa.Table, group: str) -> list[str]:
    """The declared group of each document. `documents` has doc_id, and source and group, url, or the named column.

    Raises SplitError when `group` is neither one of the words above nor a column of `documents`.
    """
    keys: list[tuple[str, ...] | None]
    doc_ids: list[str] = documents["doc_id"].to_pylist()
    if group == "document":
        return doc_ids
    if group in THREAD:
        declared = zip(documents["source"].to_pylist(), documents["group"].to_pylist(), strict=True)
        keys = [None if name is None else ("group", source, name) for source, name in declared]
    elif group == "site":
        keys = [("site", host) if host else None for host in map(host_of, documents["url"].to_pylist())]
    elif group in documents.column_names:
        keys = [None if value is None else (group, str(value)) for value in documents[group].to_pylist()]
    else:
        known = [*RESERVED, *sorted(set(documents.column_names) - set(RESERVED))]
        hint = nearest(group, known) or f"It may be: {', '.join(known)}."
        raise SplitError(f'split.group is "{group}", which is not a column of the documents. {hint}')
    ids = {key: identify(*key) for key in set(keys) if key is not None}
    return [doc_id if key is None else ids[key] for doc_id, key in zip(doc_ids, keys, strict=True)]


def host_of(url: str | None) -> str | None:
    """The host a URL names, lower-case and without "www."; None where it names none.

    >>> host_of("https://WWW.Example.org:8080/a")
    'example.org'
    >>> host_of("data/a.html") is None
    True
    """
    try:
        host = urlsplit(url or "").hostname
    except ValueError:  # such as an unclosed [ in an IPv6 address
        return None
    return host.removeprefix("www.") if host else None
