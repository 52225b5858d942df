"""convert: conversations from one shape to another in one step, without a recipe: read as the scraper `chats` reads, written as `export` writes.

Nothing is cleaned, filtered or split. What cannot be read is counted by reason and shown; a file of which nothing can be read is an error.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from corpus.exports.writers import SUFFIX, FormatName, write
from schemas.errors import UserError
from schemas.fingerprint import sha256_file

if TYPE_CHECKING:
    import pyarrow as pa

    from plugins.scrapers.chats import Chats

BATCH_ROWS = 512
SHOWN = 5
"""Faults told in full."""
BY_SUFFIX: dict[str, FormatName] = {
    ".jsonl": "openai",
    ".json": "alpaca",
    ".csv": "csv",
    ".parquet": "parquet",
}
"""The format that is meant where none is named."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What was read and written."""

    path: str
    format: str
    conversations: int
    """Read."""
    messages: int
    written: int
    """Records; fewer than conversations where the format cannot hold some."""
    failed: dict[str, int]
    """What could not be read, by reason."""
    losses: dict[str, int]
    """What the format could not hold (`corpus.exports.records`)."""
    faults: tuple[str, ...]
    """The first of what could not be read, in full."""
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


def convert(
    source: str,
    target: Path,
    form: FormatName | None = None,
    *,
    shape: str = "auto",
    options: dict[str, Any] | None = None,
) -> Converted:
    """Write the conversations of a file, or of all files that a glob names, into one file.

    `form` follows from the target's ending where it is None; `options` are those of the scraper `chats`. Raises UserError for a target that exists, an
    option that there is not, and a source of which nothing can be read; SourceError for one without files.
    """
    form = form or BY_SUFFIX.get(target.suffix.lower())
    if form not in SUFFIX:
        raise UserError(
            f"{target} does not say by its ending what to write; name it: --format {', '.join(SUFFIX)}."
        )
    if os.path.lexists(target):
        raise UserError(
            f"{target} is there already, and nothing is overwritten. Name another file, or first: rm {target}"
        )
    scraper = _scraper(source, shape, options or {})
    failed: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    losses: Counter[str] = Counter()
    faults: list[str] = []
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        rows = _rows(scraper, failed, counts, faults)
        written = write(_batches(rows), _schema(), temporary, form, losses)
        if not counts["conversations"]:
            told = "\n".join(f"  {fault}" for fault in faults)
            raise UserError(f"no conversation can be read of {source}, so nothing was written:\n{told}")
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)
    lost = {name: count for name, count in sorted(losses.items()) if count}
    return Converted(
        str(target),
        form,
        counts["conversations"],
        counts["messages"],
        written,
        dict(sorted(failed.items())),
        lost,
        tuple(faults),
        sha256_file(target),
    )


def _scraper(source: str, shape: str, options: dict[str, Any]) -> Chats:
    from plugins.scrapers.chats import Chats

    try:
        return Chats.model_validate({**options, "path": source, "shape": shape})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise UserError(f"{told}. `gristmill plugins show chats` lists the options.") from None


def _rows(
    scraper: Chats, failed: Counter[str], counts: Counter[str], faults: list[str]
) -> Iterator[dict[str, Any]]:
    """A row a conversation, with the columns of `_schema`."""
    from plugins.contracts import Place

    place = Place(Path.cwd(), Path.cwd())
    for part in scraper.parts(place):
        for page in scraper.fetch(place, part):
            reason, detail = page.error, page.detail
            if page.content is not None:
                try:
                    said = scraper.parse(page.content.decode())
                except Exception as error:  # noqa: BLE001  one odd record costs itself, whatever it makes the shape raise
                    reason, detail = "failed", f"{type(error).__name__}: {error}"
                else:
                    counts["conversations"] += 1
                    counts["messages"] += len(said.messages or ())
                    metadata = {**said.metadata, **page.metadata}
                    yield {
                        "locator": page.locator,
                        "title": said.title,
                        "published": said.published,
                        "messages": said.messages,
                        "metadata": json.dumps(metadata, ensure_ascii=False, sort_keys=True),
                    }
                    continue
            failed[cast(str, reason)] += 1
            if len(faults) < SHOWN:
                faults.append(f"{page.locator}: {reason}: {detail}")


def _schema() -> pa.Schema:
    import pyarrow as pa

    from schemas.tables import MESSAGES

    text = [pa.field(name, pa.string()) for name in ("locator", "title", "published", "metadata")]
    return pa.schema([*text[:3], pa.field("messages", MESSAGES), text[3]])


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[pa.Table]:
    import itertools

    import pyarrow as pa

    while batch := list(itertools.islice(rows, BATCH_ROWS)):
        yield pa.Table.from_pylist(batch, schema=_schema())
