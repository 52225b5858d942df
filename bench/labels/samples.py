r"""Two labelled samples, PII and spelling: each record with the text it stands in, its hash checked.

    .venv/bin/python bench/labels/samples.py

How the labels were made: before the cleaners existed, by a helper session (a language model) that is not their author, reading each item once; there was no second reader.
Scripts found and showed candidates and stored what was decided. `half` is "aside" where the first byte of sha256(id) is even: scored once, at the very end.

- `pii_planted.jsonl`: 300 invented values of 12 shapes, 25 each, in carrier texts written for them. Every telephone number is valid for its `country` by libphonenumber, every
  card by Luhn, every IBAN by mod 97. `start` and `end` frame `value`; in a URL, `secret` frames the part that must go even where the rest stays. Private and loopback addresses are
  not planted. A carrier may hold a name or a lesser trace besides: score the value alone.
- `pii_innocent.jsonl`: 100 lines that look alike and are nothing: versions, ISBNs, hashes, pages, handles, placeholders. Some are a telephone number somewhere; that is the trap.
- `spelling.jsonl`: occurrences of left-hand words of codespell 2.4.3's `dictionary.txt`, at most 5 of one word and 8 of one document (12 of a chat log), read with 60 to 80 characters
  on both sides. Tokens were `[\w'’-]+` and the alphanumeric words within, so parts of compounds and identifiers were candidates. Drawn at random within each collection, rare words as often
  as common ones (so no rate here is a rate of the texts), then 115 misspelt words with several suggestions. Misspellings that the dictionary lacks were not looked for.
  `correct` is what a careful editor would put there, in the case of `word` (compare without case); it need not be among the suggestions. It is "" where the word must stay, and
  `why` says why: name, code (also paths and options), url, foreign, dialect (accepted variants, dropped g, chat slang), quoted, real-word (jargon and initials too), other (half of a broken
  word). A word misspelt in a comment, or an English one in foreign text, is misspelt; a misspelt foreign one is foreign. The hash is that of the whole text: a page's gold, a log's line
  (from 0), a turn's utterances joined by a space, or a document of the throughput corpus.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow.parquet as pq

from schemas.errors import Corruption, SourceError

REPO = Path(__file__).resolve().parents[2]
DATA = REPO.parent / "shared" / "data"
Half = Literal["aside", "dev"]


class Innocent(TypedDict):
    """A line without PII."""

    id: str
    text: str
    half: Half


class Planted(Innocent):
    """A planted value: `text[start:end] == value`."""

    shape: str
    country: NotRequired[str]
    value: str
    start: int
    end: int
    secret: NotRequired[list[int]]


class Spelling(TypedDict):
    """One occurrence of a known misspelling."""

    id: str
    file: str
    locator: str
    start: int
    end: int
    word: str
    correct: str
    why: str
    half: Half
    text_sha: str


def rows(name: str, half: Half | None = None) -> list[dict[str, Any]]:
    """The records of a file, of one half or of both."""
    lines = (REPO / f"bench/labels/{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if half in {None, row["half"]}]


def planted(half: Half | None = None) -> Iterator[tuple[Planted, str]]:
    """Each planted value and its text."""
    for row in rows("pii_planted", half):
        if row["text"][row["start"] : row["end"]] != row["value"]:
            raise Corruption(f"{row['id']}: its span does not frame its value; restore pii_planted.jsonl")
        yield cast("Planted", row), row["text"]


def innocent(half: Half | None = None) -> Iterator[tuple[Innocent, str]]:
    """Each innocent line."""
    for row in rows("pii_innocent", half):
        yield cast("Innocent", row), row["text"]


def path_of(file: str) -> Path:
    """Where a labelled file lies: the throughput corpus in the project, all else in the shared data."""
    return (REPO if file.startswith(".bench/") else DATA) / file


def missing(records: Iterable[dict[str, Any]]) -> list[str]:
    """What is not here, a line for each folder."""
    gone = Counter(path_of(row["file"]).parent for row in records if not path_of(row["file"]).is_file())
    hint = {True: ".venv/bin/python bench/run.py makes it", False: "see ../shared/data/README.md"}
    return [
        f"{count} labels need {folder}, which is missing or incomplete; {hint['.bench' in folder.parts]}"
        for folder, count in sorted(gone.items())
    ]


def spelling(half: Half | None = None, *, partial: bool = False) -> Iterator[tuple[Spelling, str]]:
    """Each occurrence and its whole text. Raises SourceError where data is missing (`partial` leaves those labels out), Corruption where it changed."""
    records = rows("spelling", half)
    if (gaps := missing(records)) and not partial:
        raise SourceError("\n".join(gaps))
    for row in (row for row in records if path_of(row["file"]).is_file()):
        text = texts(row["file"]).get(row["locator"])
        if text is None or hashlib.sha256(text.encode()).hexdigest()[:16] != row["text_sha"]:
            raise Corruption(f"{row['id']}: {row['file']}, {row['locator']}: not the text that was labelled")
        yield cast("Spelling", row), text


@lru_cache(maxsize=2)
def texts(file: str) -> dict[str, str]:
    """A file's texts by locator."""
    if (path := path_of(file)).suffix == ".parquet":
        return {row["url"]: row["text"] for row in pq.read_table(path, columns=["url", "text"]).to_pylist()}
    content = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".txt":
        return {f"line {number}": line for number, line in enumerate(content.split("\n"))}
    found = json.loads(content)
    if "TURNS" in found:
        return {f"turn {number}": " ".join(turn["UTTERANCES"]) for number, turn in enumerate(found["TURNS"])}
    return {"ground_truth.main_content": found["ground_truth"]["main_content"] or ""}


def main() -> int:
    """Read everything and print the counts; 1 where data is missing."""
    print("planted ", dict(Counter(row["half"] for row, _ in planted())))
    print("innocent", dict(Counter(row["half"] for row, _ in innocent())))
    print("spelling", dict(Counter(f"{row['half']} {row['why']}" for row, _ in spelling(partial=True))))
    for gap in (gaps := missing(rows("spelling"))):
        print(gap, file=sys.stderr)
    return bool(gaps)


if __name__ == "__main__":
    sys.exit(main())
