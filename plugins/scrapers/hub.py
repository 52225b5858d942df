"""Data sets of the Hugging Face hub, read by ranges of their Parquet files: nothing is downloaded that is not wanted.

    [[source]]
    use = "hub"
    dataset = "ORG/NAME"
    config = "en"
    text = "content"
    id = "url"
    keep = ["language", "stars"]         # nothing else becomes metadata, nor is it fetched
    limit = 100_000

By default it reads what the hub itself made of the data set, one Parquet file or more for every config and split, at `refs/convert/parquet`; with `path`
it reads Parquet files of the repository's own: `path = "data/train-*.parquet"`. The hub converts the first 5 GB of most large data sets only
(split `partial-train`), which it is told where that is all there is.

The revision is looked up once a build and is a commit from then on: it is in every part's digest and in `raw_path` of every page. A
branch moves, and the next build follows it; to stay, write the commit into `revision`, and no build asks the hub anything it has answered already.

A token comes from the environment (HF_TOKEN), for private and gated data sets; a recipe that seems to hold one is refused. It is sent to
the hub and not to where the hub redirects. HF_ENDPOINT names another hub, and huggingface_hub's other settings hold as well.

Unproven: it never ran against the hub itself, which cannot be reached from where it was written; the tests have a server that answers as
the hub's documentation says (commit lookup, paged tree, redirected ranges).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from plugins.contracts import Locates, Page, Part, Place
from plugins.scrapers.files import Files
from plugins.scrapers.hub_repository import Listing, Repository
from plugins.scrapers.records import Record
from plugins.scrapers.tables import PART_BYTES
from schemas.errors import SourceError, nearest
from schemas.fingerprint import canonical, identify

CONVERTED = "refs/convert/parquet"
BATCH_ROWS = 256
_TOKEN = re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}")


class Hub(Files):
    """Parquet files of a Hugging Face data set, streamed by ranges from a pinned commit."""

    name = "hub"
    requires: ClassVar[tuple[str, ...]] = (*Files.requires, "huggingface-hub")
    kernels: ClassVar[tuple[str, ...]] = (
        *Files.kernels,
        "plugins.scrapers.files",
        "plugins.scrapers.hub_repository",
    )

    dataset: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")
    """Its name on the hub: "ORG/NAME"."""
    config: str | None = None
    """Its config, or subset; may be left out where there is one only."""
    split: str = "train"
    """The split to read."""
    revision: str | None = None
    """A commit, branch or tag; by default `main` with `path`, else the hub's conversion. Write the commit to build the same next year."""
    path: Annotated[str | tuple[str, ...], Locates()] = ""
    """Parquet files of the repository itself, instead of the hub's conversion: "data/*.parquet"; here `*` crosses folders."""
    keep: tuple[str, ...] | None = None
    """Columns that become metadata; all of them by default, pictures and sound among them."""
    limit: int | None = Field(default=None, ge=1)
    """Read so many rows at most, from the first on."""

    @model_validator(mode="before")
    @classmethod
    def _no_token(cls, options: Any) -> Any:
        """Recipes are shared and stored in every version."""
        for key, value in options.items() if isinstance(options, Mapping) else ():
            if "token" in key.lower() or _TOKEN.search(str(value)):
                raise ValueError(
                    f"{key}: a token does not belong into a recipe, which versions keep. Remove it, revoke it if this file was shared, and: export HF_TOKEN=…"
                )
        return options

    @field_validator("encoding")
    @classmethod
    def _of_no_use(cls, encoding: str | None) -> str | None:
        if encoding is not None:
            raise ValueError("means nothing to Parquet, whose texts are UTF-8; leave it out")
        return encoding

    def parts(self, place: Place) -> Sequence[Part]:
        """Runs of row groups of the files chosen. Raises SourceError for what is not there, may not be read or cannot be reached."""
        repository = Repository(self.dataset, place.work)
        listing = repository.listing(self.revision or ("main" if self.path else CONVERTED))
        left = self.limit if self.limit is not None else 1 << 62
        parts: list[Part] = []
        for name in self._chosen(listing):
            if left <= 0:
                break
            footer = listing.footer(repository, name)
            self._require(name, footer["names"])
            for first, groups, rows in _runs(footer["groups"], whole=self.id is not None):
                if left <= 0:
                    break
                where = {
                    "commit": listing.commit, "file": name, "size": listing.files[name][0], "license": listing.license,
                    "groups": groups, "number": first, "take": min(rows, left),
                }  # fmt: skip
                parts.append(
                    Part(
                        where, identify(self.dataset, canonical({**where, "content": listing.files[name][1]}))
                    )
                )
                left -= rows
        listing.save()
        return parts

    def fetch(self, place: Place, part: Part) -> Iterator[Page]:
        """The rows of a part. What is damaged costs a page; a hub that does not answer is a SourceError, since the next build may find it again."""
        import pyarrow as pa

        where = part.where
        columns, seen, number = self.columns, set[str](), int(where["number"])
        stored = f"{where['commit']}/{where['file']}"
        try:
            for record in self._records(place, where):
                page = self._row(where["file"], record, columns, seen)
                page.raw_path, page.license = stored, page.license or where["license"]
                yield page
                number = record.number + 1
        except (pa.ArrowException, OSError, ValueError) as error:
            detail = f"from row {number + 1} on: {' '.join(str(error).split())[:300]}"
            yield Page(
                f"{where['file']}#{number:09}#",
                raw_path=stored,
                raw_offset=number,
                error="unreadable",
                detail=detail,
            )

    def _records(self, place: Place, where: Mapping[str, Any]) -> Iterator[Record]:
        """The rows of a part, of the columns wanted."""
        import pyarrow.parquet as pq

        number, left = where["number"], where["take"]
        wanted = None if self.keep is None else list(dict.fromkeys([*self.columns.wanted, *self.keep]))
        remote = Repository(self.dataset, place.work).open(where["commit"], where["file"], where["size"])
        with remote, pq.ParquetFile(remote, pre_buffer=True, page_checksum_verification=True) as file:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=where["groups"], columns=wanted):
                for n in range(min(batch.num_rows, left)):
                    try:
                        yield Record(number, cells=batch.slice(n, 1).to_pylist()[0])
                    except (UnicodeDecodeError, ValueError, OverflowError) as error:
                        yield Record(number, error="malformed", detail=f"{type(error).__name__}: {error}")
                    number += 1
                left -= batch.num_rows
                if left <= 0:
                    return

    # ------------------------------------------------------------------------------------- what to read

    def _chosen(self, listing: Listing) -> list[str]:
        """The files to read, in order of their names."""
        names = sorted(name for name in listing.files if name.endswith(".parquet"))
        if self.path:
            found = [
                name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns)
            ]
            if not found:
                held = (
                    ", ".join(names[:5])
                    or f"no Parquet file at all; leave `path` out to read the hub's conversion ({CONVERTED})"
                )
                raise SourceError(
                    f"no Parquet file of {self.dataset} matches {', '.join(self.patterns)}. It has {held}."
                )
            return found
        tree: dict[str, dict[str, list[str]]] = {}
        for name in names:
            top, _, rest = name.partition("/")
            if "/" in rest:
                tree.setdefault(top, {}).setdefault(rest.rpartition("/")[0], []).append(name)
        config = self.config or (next(iter(tree)) if len(tree) == 1 else None)
        if config not in tree:
            said = (
                f'has no config "{config}". {nearest(config, list(tree))}'
                if config
                else "has several configs, so one must be named."
            )
            raise SourceError(
                f'{self.dataset} {said} They are: {_listed(tree)}. Write config = "{next(iter(tree), "default")}".'
            )
        if self.split not in tree[config]:
            first = next(iter(tree[config]))
            more = (
                " The hub converted its first 5 GB only; `path` reads the repository's own Parquet files."
                if first.startswith("partial-")
                else ""
            )
            raise SourceError(
                f'{self.dataset}, config "{config}", has no split "{self.split}". {nearest(self.split, list(tree[config]))} '
                f'Its splits: {_listed(tree[config])}. Write split = "{first}".{more}'
            )
        return tree[config][self.split]

    def _require(self, name: str, names: Sequence[str]) -> None:
        """Raises SourceError for a column that was named and is not there."""
        for column in [*self.columns.wanted, *(self.keep or ())]:
            if column not in names:
                raise SourceError(
                    f'{self.dataset}: {name} has no column "{column}". {nearest(column, list(names))} Its columns: '
                    f'{_listed(names)}. Name the one that holds the text with text = "{names[0] if names else ""}", and the others alike.'
                )


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:20]) + (f" and {len(listed) - 20} more" if len(listed) > 20 else "") or "none"


def _runs(groups: Sequence[Sequence[int]], *, whole: bool) -> Iterator[tuple[int, list[int], int]]:
    """Runs of row groups of bounded size: (number of the first row, row groups, rows). `groups` holds (rows, bytes) of each.

    >>> list(_runs([(5, 20 << 20), (5, 20 << 20), (7, 1)], whole=False))
    [(0, [0, 1], 10), (10, [2], 7)]
    """
    first, run, rows, size = 0, list[int](), 0, 0
    for n, (count, length) in enumerate(groups):
        run.append(n)
        rows, size = rows + count, size + length
        if n == len(groups) - 1 or (size >= PART_BYTES and not whole):
            yield first, run, rows
            first, run, rows, size = first + rows, [], 0, 0
