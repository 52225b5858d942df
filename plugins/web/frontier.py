"""The state of a crawl in one SQLite file: every URL a crawl met, what became of it, and what is still to do.

A URL has one row and, in the end, one fate. Nothing here is held in memory but small caches, so a crawl of any size takes the same.
All writes of a moment form one transaction, committed after the archive has been synced up to the place that the same transaction
records (`commit`). So the database never names a record that is not on disk; what the archive holds beyond it was received but not
yet accounted for, and is read again at the next start (`plugins.web.recovery`). `synchronous=NORMAL` is enough: after a power cut the
database may be older than the archive, never newer.

Out-of-scope and otherwise refused URLs are rows, too, up to REFUSED_ROWS; further ones are only counted, by reason, in `tallies`. So
the disk taken is bounded by what is fetched and by the site's own size, not by how much of the web it points at.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from plugins.web.crawl_tables import (
    ADD,
    BY_ADDRESS,
    BY_OPTION,
    DONE,
    FETCHING,
    FILE,
    FORMAT,
    PASSING,
    QUEUED,
    REFUSED,
    REFUSED_ROWS,
    SCHEMA,
    WORK,
    Found,
    Work,
)
from schemas.errors import Corruption, GristmillError, StorageError

PENDING_KEPT = 4096
KNOWN_KEPT = 1 << 15
"""URLs of which it is remembered that they have a row, and at which depth: most links of a page are those of the page before."""
FAR = 1 << 30
_PASSING = frozenset({
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
})  # fmt: skip
"""What SQLite says of the disk and of other programs, not of the database."""


def trouble(path: Path, error: sqlite3.DatabaseError) -> GristmillError:
    """What an error of SQLite means: the place is in the way, and nothing is lost; or the database is damaged."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING:
        return StorageError(
            f"{path}: {error}. The crawl stops, and loses nothing that it wrote before. Make room, mend the folder's permissions or close "
            "the program that holds the file, then run the same command again."
        )
    return Corruption(
        f"{path}: {error}. It is the memory of a crawl and cannot be read. Remove its folder to crawl anew."
    )


class Frontier:
    """The crawl's database. One process at a time writes it; others may read."""

    def __init__(self, folder: Path, *, bounded_depth: bool = False, read_only: bool = False) -> None:
        """Open or create it, and put back into the queue what was being fetched when the last process ended. Raises what `trouble` makes.

        With `bounded_depth`, archived pages found again nearer to a seed are marked (`take_relinks`). `read_only`: only look, also
        while another process crawls.
        """
        self._bounded = bounded_depth
        self.known: dict[str, int] = {}
        """Some of the URLs that have a row, with the depth at which they are known; FAR where a better way may change their fate."""
        self.path = folder / FILE
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True)
        self._pending: set[int] = set()
        self._ids: dict[str, int] = {}
        self._begun = False
        try:
            where = f"{self.path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._db = sqlite3.connect(where, uri=True, isolation_level=None, cached_statements=64)
            try:
                self._check() if read_only else self._open()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.DatabaseError as error:
            raise trouble(self.path, error) from None

    def _open(self) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-16000", "busy_timeout=10000"):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        self._db.executescript(SCHEMA)
        self._check()
        self._write("INSERT OR REPLACE INTO meta VALUES ('format', ?)", (FORMAT,))
        self._write("UPDATE urls SET state = ? WHERE state = ?", (QUEUED, FETCHING))
        self._pend()
        places = ",".join("?" * len(REFUSED))
        self._refused = self._one(f"SELECT count(*) FROM urls WHERE fate IN ({places})", REFUSED)
        self._flush()

    def _check(self) -> None:
        if self.meta("format", FORMAT) != FORMAT:
            raise Corruption(
                f"{self.path} was written by another version of gristmill. Remove its folder to crawl anew."
            )

    def rest(self) -> None:
        """One file, without a log beside it: so a crawl that has ended can be read from any file system, by many at once."""
        with suppress(sqlite3.OperationalError):  # somebody is reading: the log stays, and does no harm
            self._db.execute("PRAGMA journal_mode=DELETE").fetchall()

    def close(self) -> None:
        """Give up what was not committed."""
        if self._begun:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
        self._db.close()

    # ------------------------------------------------------------------------------------- transactions

    def _write(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        if not self._begun:
            self._db.execute("BEGIN IMMEDIATE")
            self._begun = True
        return self._db.execute(sql, tuple(values))

    def commit(self, archive: tuple[str, int] | None) -> None:
        """Make all that happened since the last commit durable, together with the place up to which the archive was synced."""
        if not self._begun:
            return
        if archive is not None:
            self.set_meta("archive", json.dumps(archive))
        self._flush()

    def _flush(self) -> None:
        self._db.execute("COMMIT")
        self._begun = False

    @property
    def archive(self) -> tuple[str, int] | None:
        """The archive's file, and the byte in it up to which its records are accounted for."""
        value = self.meta("archive")
        return (str((pair := json.loads(value))[0]), int(pair[1])) if value else None

    def meta(self, key: str, default: str | None = None) -> str | None:
        """A value of the crawl as a whole."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else default

    def set_meta(self, key: str, value: str) -> None:
        """Remember a value of the crawl as a whole."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # ------------------------------------------------------------------------------------- origins

    def origin_id(self, origin: str) -> int:
        """The number of an origin, given out in the order in which they are met."""
        if (known := self._ids.get(origin)) is not None:
            return known
        row = self._db.execute("SELECT id FROM origins WHERE origin = ?", (origin,)).fetchone()
        if row is None:
            number = self._write("INSERT INTO origins (origin) VALUES (?)", (origin,)).lastrowid
        else:
            number = row[0]
        if len(self._ids) >= PENDING_KEPT:
            self._ids.clear()
        self._ids[origin] = int(number or 0)
        return self._ids[origin]

    def pending_origins(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Origins with something in the queue, by number."""
        return self._db.execute(
            "SELECT id, origin FROM origins WHERE pending = 1 AND id > ? ORDER BY id LIMIT ?", (after, limit)
        ).fetchall()

    def origin(self, number: int) -> dict[str, Any]:
        """What is remembered of an origin: robots (JSON), robots_at and not_before (POSIX seconds), traps (JSON)."""
        names = ("robots", "robots_at", "not_before", "traps")
        row = self._db.execute(f"SELECT {', '.join(names)} FROM origins WHERE id = ?", (number,)).fetchone()
        return dict(zip(names, row, strict=True))

    def set_origin(self, number: int, **values: Any) -> None:
        """Remember something of an origin."""
        names = ", ".join(f"{name} = ?" for name in values)
        self._write(f"UPDATE origins SET {names} WHERE id = ?", (*values.values(), number))

    # ------------------------------------------------------------------------------------- urls

    def add(self, found: Iterable[Found]) -> set[int]:
        """Note URLs; gives the origins that have something in the queue now.

        One that is known stays as it is, unless its fate was due to the way it was found, or it is found nearer to a seed now.
        """
        queued, known = set[int](), self.known
        if len(known) >= KNOWN_KEPT:
            known.clear()
        for item in found:
            seen = known.get(item.url)
            if seen is not None and (item.fate or (item.depth >= seen and item.hops == 0)):
                continue
            known[item.url] = item.depth if item.fate is None and item.hops == 0 else FAR
            refused = item.fate in REFUSED
            if refused and self._refused >= REFUSED_ROWS:
                self._tally(item.fate or "", item.url)
                continue
            number = self.origin_id(item.origin)
            state = QUEUED if item.fate is None else DONE
            added = self._write(
                ADD,
                (item.url, number, item.kind, item.depth, item.hops, item.found_on, state, item.fate, item.detail, self._bounded),
            )  # fmt: skip
            self._refused += refused and added.rowcount > 0
            if state == QUEUED:
                queued.add(number)
        for number in queued - self._pending:
            self._write("UPDATE origins SET pending = 1 WHERE id = ? AND pending = 0", (number,))
        if len(self._pending) > PENDING_KEPT:
            self._pending.clear()
        self._pending |= queued
        return queued

    def _tally(self, reason: str, url: str) -> None:
        """Count a link instead of keeping it, if its URL is not known already."""
        if self._db.execute("SELECT 1 FROM urls WHERE url = ?", (url,)).fetchone() is None:
            self._write(
                "INSERT INTO tallies VALUES (?, 1) ON CONFLICT (reason) DO UPDATE SET links = links + 1",
                (reason,),
            )

    def take(self, origin: int, limit: int) -> list[Work]:
        """Take the next URLs of an origin from the queue: by depth, then in the order found."""
        rows = self._write(
            f"UPDATE urls SET state = {FETCHING} WHERE id IN "
            f"(SELECT id FROM urls WHERE state = {QUEUED} AND origin = ? ORDER BY depth, id LIMIT ?) RETURNING {WORK}",
            (origin, limit),
        ).fetchall()
        if len(rows) < limit:
            self._pending.discard(origin)
            self._write("UPDATE origins SET pending = 0 WHERE id = ?", (origin,))
        works = [Work(*row) for row in rows]
        works.sort(key=lambda work: (work.depth, work.id))
        return works

    def update(self, number: int, **values: Any) -> None:
        """Set columns of a row."""
        names = ", ".join(f"{name} = ?" for name in values)
        self._write(f"UPDATE urls SET {names} WHERE id = ?", (*values.values(), number))

    def settle(self, number: int, fate: str, detail: str | None = None, **values: Any) -> None:
        """Give a URL its fate."""
        self.update(number, state=DONE, fate=fate, detail=detail, **values)

    def find(self, url: str) -> Work | None:
        """The row of a URL."""
        row = self._db.execute(f"SELECT {WORK} FROM urls WHERE url = ?", (url,)).fetchone()
        return Work(*row) if row else None

    def take_relinks(self, limit: int) -> list[Work]:
        """Archived pages that were found again, nearer to a seed: their links may be within reach now."""
        rows = self._write(
            f"UPDATE urls SET relink = 0 WHERE id IN (SELECT id FROM urls WHERE relink = 1 LIMIT ?) RETURNING {WORK}",
            (limit,),
        ).fetchall()
        return [Work(*row) for row in rows]

    def refresh(self) -> None:
        """Queue all that was asked for once more, robots.txt too. What was refused by its address stays so; so does what is in a trap."""
        self._requeue(f"fate NOT IN {REFUSED} AND fate NOT LIKE 'trap-%'")
        self._write("UPDATE origins SET robots = NULL")

    def retry(self) -> bool:
        """Queue once more what could not be had for a reason that may have passed, and all behind a robots.txt that could not. Whether there
        is any."""
        places = ",".join(f"'{fate}'" for fate in PASSING)
        lost = f"fate IN ({places}) OR (fate = 'robots' AND detail LIKE 'robots.txt cannot be had%')"
        if not self._one(f"SELECT count(*) FROM urls WHERE state = {DONE} AND ({lost})"):
            return False
        self._write(
            f"UPDATE origins SET robots = NULL WHERE id IN (SELECT origin FROM urls WHERE state = {DONE} AND ({lost}))"
        )
        self._requeue(lost)
        return True

    def reconsider(
        self,
        outside: Callable[[Work], tuple[str, str | None] | None],
        *,
        nofollow: bool,
        relink: bool = False,
    ) -> None:
        """Judge again what other options refused. `outside` gives the fate of a URL that the present ones refuse by its address;
        `nofollow`: whether that wish is honoured now. `relink`: follow archived links again: the
        bound of the depth is another, and nearer ways beyond the former one were not noted."""
        if relink or self.tallies():  # links that were counted, not kept, may be within now
            self._write("UPDATE urls SET relink = 1 WHERE file IS NOT NULL")
            self._write("DELETE FROM tallies")
        places = f"fate IN {BY_ADDRESS}"
        for row in self._db.execute(f"SELECT {WORK} FROM urls WHERE state = {DONE} AND {places}").fetchall():
            work = Work(*row)
            if (refusal := outside(work)) is None:
                self.update(work.id, state=QUEUED)
            elif refusal != (work.fate, work.detail):
                self.settle(work.id, *refusal)
        self._write(
            f"UPDATE urls SET file = NULL, etag = NULL, last_modified = NULL WHERE state = {DONE} AND fate IN {BY_OPTION}"
        )
        self._requeue(
            f"fate IN {BY_OPTION}" + ("" if nofollow else " OR (fate = 'nofollow' AND kind = 'page')")
        )

    def _requeue(self, where: str) -> None:
        self._write(f"UPDATE urls SET state = {QUEUED}, tries = 0 WHERE state = {DONE} AND ({where})")
        self._pend()

    def _pend(self) -> None:
        self._write(
            "UPDATE origins SET pending = 1 WHERE id IN (SELECT DISTINCT origin FROM urls WHERE state = 0)"
        )

    def reset(self) -> None:
        """Forget all URLs and origins. The archive stays as it is."""
        for table in ("urls", "origins", "tallies"):
            self._write(f"DELETE FROM {table}")
        self.known.clear()
        self._ids.clear()
        self._pending.clear()
        self._refused = 0

    def abandon(self, fate: str, detail: str) -> None:
        """Give all that is left in the queue one fate. A former capture stands for none of it then: it would answer a later "unchanged"."""
        self._write(
            f"UPDATE urls SET state = {DONE}, fate = ?, detail = ?, file = NULL, etag = NULL, last_modified = NULL WHERE state <> {DONE}",
            (fate, detail),
        )
        self._write("UPDATE origins SET pending = 0")

    # ------------------------------------------------------------------------------------- looking

    def _one(self, sql: str, values: Iterable[Any] = ()) -> int:
        return int(self._db.execute(sql, tuple(values)).fetchone()[0] or 0)

    def queued(self) -> int:
        """URLs in the queue, those being fetched not among them."""
        return self._one(f"SELECT count(*) FROM urls WHERE state = {QUEUED}")

    def fates(self) -> dict[str, int]:
        """URLs by fate; those without are "queued"."""
        return dict(
            self._db.execute(
                f"SELECT CASE WHEN state = {DONE} THEN fate ELSE 'queued' END AS f, count(*) FROM urls GROUP BY f ORDER BY f"
            ).fetchall()
        )

    def tallies(self) -> dict[str, int]:
        """Links that were only counted, by reason."""
        return dict(self._db.execute("SELECT reason, links FROM tallies ORDER BY reason").fetchall())

    def archived_bytes(self) -> int:
        """Bytes of all bodies fetched; of those that are to be asked for again, nothing yet."""
        return self._one(f"SELECT sum(size) FROM urls WHERE file IS NOT NULL AND state = {DONE}")

    def beyond(self, pages: int) -> set[int]:
        """The numbers of pages past the first so many, nearest to a seed first: what a smaller budget leaves out."""
        cursor = self._db.execute(
            f"SELECT id FROM urls WHERE state = {DONE} AND fate = 'fetched' ORDER BY depth, id LIMIT -1 OFFSET ?",
            (pages,),
        )
        return {number for (number,) in cursor}

    def rows(self, first: int = 0, last: int = 1 << 62) -> Iterator[dict[str, Any]]:
        """Every row with a fate and an id from `first` to `last`, in the archive's order; columns as in the table, `found_on` and `origin` as text."""
        try:
            yield from self._rows(first, last)
        except sqlite3.DatabaseError as error:
            raise trouble(self.path, error) from None

    def _rows(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        cursor = self._db.execute(
            "SELECT u.*, o.origin AS origin, f.url AS found_on FROM urls u JOIN origins o ON o.id = u.origin "
            f"LEFT JOIN urls f ON f.id = u.found_on WHERE u.state = {DONE} AND u.id BETWEEN ? AND ? ORDER BY u.file, u.offset, u.id",
            (first, last),
        )
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))
