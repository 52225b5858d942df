r"""How well `pii` finds the planted values, and what it finds where nothing is.

    .venv/bin/python bench/pii_quality.py [--half dev|aside] [--file PATH] [--no-examples]

`--file` scores the planted values of another file in the record shape of `labels/pii_planted.jsonl`, all of them whatever their half, in place of those. `--no-examples` runs the
cleaner with `examples = false`. Recall by shape: a planted value is found where every letter and digit of it (in a URL: of its secret) lies in an edit. False alarms: every finding in the innocent
lines; and in the 1,337 gold texts of WCXB, every finding that `labels/pii_real.jsonl` calls false or does not know. That file was made by reading each finding in its
context, by the helper session (a language model) that wrote the cleaner, one reader: "true" is a value of its kind, whoever's (a company's telephone too); "example" one of its
kind that a manual invented (john@example.com, 192.0.2.127), counted apart; "false" is nothing of the kind. Values are shown masked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.labels import samples
from plugins.cleaners.pii import Pii
from schemas.errors import Corruption

REAL = samples.REPO / "bench/labels/pii_real.jsonl"


def real_texts() -> Iterator[tuple[str, str]]:
    """File and gold text of each WCXB page."""
    for path in sorted((samples.DATA / "extraction/wcxb-dev/ground-truth").glob("*.json")):
        record = json.loads(path.read_bytes())
        yield path.stem, record["ground_truth"].get("main_content") or ""


def masked(value: str) -> str:
    """Its shape alone.

    >>> masked("+44 20x")
    '+99 99a'
    """
    return "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in value)[:60]


def is_covered(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> bool:
    """Whether every letter and digit of [start, end) lies in a span."""
    return all(
        any(first <= place < last for first, last in spans)
        for place in range(start, end)
        if text[place].isalnum()
    )


def planted_in(path: Path) -> Iterator[tuple[samples.Planted, str]]:
    """Each planted value of a file and its text. Raises Corruption where a span does not frame its value."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["text"][row["start"] : row["end"]] != row["value"]:
            raise Corruption(f"{path}, {row['id']}: its span does not frame its value; correct start and end")
        yield row, row["text"]


def _wanted(row: dict[str, Any]) -> tuple[int, int]:
    """Where the value stands; in a URL its secret alone, given by its place or by its text."""
    secret = row.get("secret")
    if isinstance(secret, str):
        start = row["text"].index(secret, row["start"])
        return start, start + len(secret)
    start, end = secret or (row["start"], row["end"])
    return start, end


def recall(cleaner: Pii, planted: Iterable[tuple[samples.Planted, str]], name: str) -> None:
    """Print recall by shape, and what was missed."""
    of, found = Counter[str](), Counter[str]()
    for row, text in planted:
        start, end = _wanted(row)
        of[row["shape"]] += 1
        if is_covered(text, start, end, [(edit.start, edit.end) for edit in cleaner.clean(text)]):
            found[row["shape"]] += 1
        else:
            print(f"  missed {row['id']} {row['shape']}: {masked(text[start:end])}")
    for shape in of:
        print(f"  {shape:22} {found[shape]:3} of {of[shape]:3}")
    print(f"recall on {name}: {found.total()} of {of.total()} = {found.total() / of.total():.4f}")


def innocents(cleaner: Pii, half: samples.Half) -> None:
    """Print the findings in innocent lines."""
    lines, alarms = samples.rows("pii_innocent", half), 0
    for row in lines:
        for start, end, kind in cleaner.findings(row["text"]):
            alarms += 1
            print(f"  false alarm {row['id']} [{start}, {end}) {kind}: {masked(row['text'][start:end])}")
    print(f"false alarms on innocents, {half}: {alarms} in {len(lines)} lines")


def real(cleaner: Pii) -> None:
    """Print the findings in real texts by verdict, and the speed."""
    judged = {}
    if REAL.exists():
        rows = map(json.loads, REAL.read_text(encoding="utf-8").splitlines())
        judged = {(row["file"], row["start"], row["end"], row["sha"]): row["verdict"] for row in rows}
    verdicts, n, size, seconds = Counter[tuple[str, str]](), 0, 0, 0.0
    for file, text in real_texts():
        n, size, began = n + 1, size + len(text.encode()), time.process_time()
        edits = cleaner.clean(text)
        seconds += time.process_time() - began
        for edit in edits:
            value = text[edit.start : edit.end]
            verdict = judged.get((file, edit.start, edit.end, sha(value)), "unjudged")
            verdicts[verdict, edit.after] += 1
            if verdict != "true":
                print(f"  {verdict} {file} [{edit.start}, {edit.end}) {edit.after}: {masked(value)}")
    print(f"{n} WCXB gold texts, {size / 1e6:.1f} MB at {size / 1e6 / seconds:.1f} MB/s")
    for verdict, kind in sorted(verdicts):
        print(f"  {verdict:9} {kind:14} {verdicts[verdict, kind]:4}")
    wrong, example = (
        sum(count for (verdict, _), count in verdicts.items() if verdict in of)
        for of in ({"false", "unjudged"}, {"example"})
    )
    print(f"false alarms per 100 real documents: {100 * wrong / n:.2f}, and {100 * example / n:.2f} examples")


def sha(value: str) -> str:
    """A short digest, so that values need not be written down."""
    return hashlib.sha256(value.encode()).hexdigest()[:12]


def main() -> None:
    """Print all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=["dev", "aside"], default="dev")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--no-examples", action="store_true")
    given = parser.parse_args()
    cleaner = Pii(examples=not given.no_examples)
    if given.file:
        recall(cleaner, planted_in(given.file), given.file.name)
    else:
        recall(cleaner, samples.planted(given.half), given.half)
    innocents(cleaner, given.half)
    real(cleaner)


if __name__ == "__main__":
    main()
