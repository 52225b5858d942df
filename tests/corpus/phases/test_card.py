"""The card is YAML that names only what is there, and depends on the version alone."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from corpus.phases.card import card
from schemas.manifest import LeakageCertificate, SplitRecord

yaml = pytest.importorskip("yaml")

LEAKAGE = LeakageCertificate(
    ngram=13,
    bound=0.2,
    val_documents=3,
    val_leaking=1,
    val_mean_overlap=0.1,
    test_documents=2,
    test_leaking=0,
    test_mean_overlap=0.0,
)
SPLITS = {
    name: SplitRecord(target=0.3, groups=1, documents=1234, chunks=5, tokens=67890)
    for name in ("train", "val", "test")
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with train and val only."""
    folder = tmp_path_factory.mktemp("card")
    for table in ("documents", "chunks"):
        (folder / table).mkdir()
        for split in ("train", "val"):
            (folder / table / f"{split}-00000.parquet").touch()
    return folder


def head(text: str) -> dict[str, Any]:
    """The YAML between the two lines of dashes."""
    empty, front, _ = text.split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(front)


def test_it_names_the_tables_and_the_splits_that_have_files(folder: Path) -> None:
    text = card("tales", 3, folder, SPLITS, LEAKAGE, [])
    assert head(text) == {
        "pretty_name": "tales v3",
        "tags": ["gristmill"],
        "configs": [
            {
                "config_name": table,
                **({"default": True} if table == "documents" else {}),
                "data_files": [
                    {"split": "train", "path": f"{table}/train-*.parquet"},
                    {"split": "validation", "path": f"{table}/val-*.parquet"},
                ],
            }
            for table in ("documents", "chunks")
        ],
    }
    assert "| train | 1,234 | 5 | 67,890 |" in text
    assert (
        "1 of 3 validation and 0 of 2 test documents share more than 20% of their 13-grams with train."
        in text
    )
    assert text.endswith("\n")


def test_it_is_the_same_every_time(folder: Path) -> None:
    assert card("tales", 1, folder, SPLITS, LEAKAGE, ["CC0"]) == card(
        "tales", 1, folder, SPLITS, LEAKAGE, ["CC0"]
    )


@given(
    st.lists(st.text(max_size=20), min_size=1, max_size=3),
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,9}", fullmatch=True),
)
def test_licences_and_names_of_any_spelling_come_back_from_the_yaml(
    folder: Path, licenses: list[str], name: str
) -> None:
    front = head(card(name, 1, folder, SPLITS, LEAKAGE, licenses))
    assert front["license"] == "other"
    assert front["license_name"] == ", ".join(licenses)
    assert front["pretty_name"] == f"{name} v1"
