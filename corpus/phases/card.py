"""The version's `README.md`: a dataset card whose YAML makes the directory a dataset repository as it lies there.

`datasets.load_dataset("corpora/<name>/v<N>", "documents")` reads the `configs` below; `val` is called `validation` there. Nothing in it
depends on time or machine.
"""

from __future__ import annotations

from pathlib import Path

from schemas.manifest import LeakageCertificate, SplitRecord

SHOWN_AS = {"train": "train", "val": "validation", "test": "test"}


def card(
    name: str,
    number: int,
    folder: Path,
    splits: dict[str, SplitRecord],
    leakage: LeakageCertificate,
    licenses: list[str],
) -> str:
    """The card's text; only splits that have files are named."""
    lines = ["---", f"pretty_name: {_quoted(f'{name} v{number}')}"]
    if licenses:
        lines += ["license: other", f"license_name: {_quoted(', '.join(licenses))}"]
    lines += ["tags:", "- gristmill", "configs:"]
    for table in ("documents", "chunks"):
        lines += [f"- config_name: {table}"]
        lines += ["  default: true"] if table == "documents" else []
        lines += ["  data_files:"]
        for split, shown in SHOWN_AS.items():
            if any((folder / table).glob(f"{split}-*.parquet")):
                lines += [f"  - split: {shown}", f'    path: "{table}/{split}-*.parquet"']
    lines += [
        "---",
        "",
        f"# {name}, version {number}",
        "",
        "Made by gristmill; `manifest.json` says from what and how.",
        "",
    ]
    lines += ["| split | documents | chunks | tokens |", "|---|---|---|---|"]
    lines += [
        f"| {SHOWN_AS[split]} | {record.documents:,} | {record.chunks:,} | {record.tokens:,} |"
        for split, record in splits.items()
    ]
    shared = f"share more than {leakage.bound:.0%} of their {leakage.ngram}-grams with train."
    counted = f"{leakage.val_leaking} of {leakage.val_documents} validation and {leakage.test_leaking} of {leakage.test_documents} test"
    beside = "Beside them lie `rejects`, `fates`, `scores`, `duplicates`, `groups`, `edits` and `pages`"
    lines += [
        "",
        f"Leakage: {counted} documents {shared}",
        "",
        f"{beside}: every page that was gathered, and why it is or is not here.",
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    r"""As YAML reads it back whatever is in it. JSON would not do: it writes what lies beyond U+FFFF as two halves.

    >>> print(_quoted('CC-BY "4.0" 🌾'))
    "CC-BY \U000000224.0\U00000022 \U0001f33e"
    """
    plain = (char if " " <= char <= "~" and char not in '"\\' else f"\\U{ord(char):08x}" for char in text)
    return f'"{"".join(plain)}"'
