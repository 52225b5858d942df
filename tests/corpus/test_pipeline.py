"""The laws, on a whole build of a small corpus."""

import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from builds import build_here, html, parquet_hashes, prose, write_recipe, write_site

from corpus.pipeline import Build
from corpus.query import query
from corpus.versions import verify
from schemas.errors import EmptyCorpus, NotFound, SplitError, UserError


def fate_of(built: Build, page: str) -> dict[str, str | None]:
    statement = f"select f.* from fates f join pages p using (page_id) where p.locator = '{page}'"
    rows = query(built.version, statement).to_dicts()
    assert len(rows) == 1
    return rows[0]


def test_every_page_has_a_fate_and_every_document_one(built: Build) -> None:
    totals = query(
        built.version,
        """select (select count(*) from pages) pages, (select count(distinct page_id) from fates) told,
                  (select count(*) from documents) + (select count(*) from rejects) documents,
                  (select count(doc_id) from fates) fated, (select count(distinct doc_id) from fates) once""",
    ).row(0, named=True)
    assert totals["pages"] == totals["told"] == built.manifest.counts["pages"]
    assert totals["documents"] == totals["fated"] == totals["once"]


@pytest.mark.parametrize(
    ("page", "stage", "reason"),
    [
        ("empty.html", "extract", "empty"),
        ("binary.html", "extract", "binary"),
        ("german.html", "filter", "language:language"),
        ("short.txt", "filter", "length:min_words"),
        ("copy.txt", "dedup", "exact"),
        ("near.html", "dedup", "fuzzy"),
        ("thread-2.html", "merged", None),
        ("thread-1.html", "kept", None),
        ("mojibake.txt", "kept", None),
    ],
)
def test_a_page_goes_where_it_belongs(built: Build, page: str, stage: str, reason: str | None) -> None:
    fate = fate_of(built, page)
    assert (fate["stage"], fate["reason"]) == (stage, reason)


def test_a_duplicate_names_a_kept_survivor(built: Build) -> None:
    duplicates = query(
        built.version,
        "select d.*, k.doc_id kept from duplicates d left join documents k on k.doc_id = d.survivor_id",
    )
    assert duplicates.height == 2
    assert duplicates["kept"].null_count() == 0
    assert duplicates["similarity"].min() >= 0.8


def test_the_pages_of_a_thread_are_one_document_in_their_order(built: Build) -> None:
    text = query(
        built.version, "select text from documents join pages using (page_id) where locator = 'thread-1.html'"
    )["text"][0]
    first, second = prose(902, 90).split("\n\n")[0], prose(903, 90).split("\n\n")[0]
    assert text.index(first) < text.index(second)


def test_edits_replayed_backwards_give_the_extracted_text(built: Build) -> None:
    rows = query(built.version, 'select doc_id, step, start, "end", before, after from edits')
    doc = query(
        built.version,
        "select doc_id, text from documents join pages using (page_id) where locator = 'mojibake.txt'",
    ).row(0, named=True)
    mine = rows.filter(pl.col("doc_id") == doc["doc_id"])
    text, steps = doc["text"], mine["step"].unique(maintain_order=True).to_list()
    for step in reversed(steps):
        shift = 0
        for edit in mine.filter(pl.col("step") == step).iter_rows(named=True):
            start = edit["start"] + 0
            at = start + shift_before(mine, step, start)
            assert text[at + shift : at + shift + len(edit["after"])] == edit["after"]
            text = text[: at + shift] + edit["before"] + text[at + shift + len(edit["after"]) :]
            shift += len(edit["before"]) - len(edit["after"])
    assert text == prose(901) + "\n\nThe innkeeperâ€™s cafÃ© was   closed.  \n"


def shift_before(edits: pl.DataFrame, step: str, start: int) -> int:
    """How far a step's earlier edits had moved what stood at `start`."""
    earlier = edits.filter((pl.col("step") == step) & (pl.col("start") < start))
    return sum(len(after) - len(before) for before, after in earlier.select("before", "after").iter_rows())


def test_chunks_give_back_the_tokens_of_their_document(built: Build, tokenizer: Path) -> None:
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    rows = query(
        built.version,
        "select d.text, d.n_tokens, list(c.input_ids order by c.position) ids, max(len(c.input_ids)) longest "
        "from documents d join chunks c using (doc_id) group by all",
    )
    assert rows.height == built.manifest.counts["documents"]
    for row in rows.iter_rows(named=True):
        joined = [token for ids in row["ids"] for token in ids]
        assert joined == [*encoder.encode(row["text"], add_special_tokens=False).ids, 0]
        assert row["n_tokens"] == len(joined)
        assert row["longest"] <= 128


def test_related_documents_share_a_split_and_every_split_has_some(built: Build) -> None:
    groups = query(built.version, "select component, count(distinct split) splits from groups group by all")
    assert groups["splits"].max() == 1
    assert all(record.documents for record in built.manifest.splits.values())
    assert built.manifest.leakage.val_documents == built.manifest.splits["val"].documents


def test_published_files_are_read_only_and_alone(built: Build) -> None:
    assert all(path.stat().st_mode & 0o222 == 0 for path in built.version.path.rglob("*") if path.is_file())
    assert [path.name for path in built.version.path.parent.iterdir()] == ["v1"]


def test_the_same_recipe_again_is_the_same_version(built: Build) -> None:
    again = build_here(built.version.path.parents[2] / "recipe.toml")
    assert not again.new
    assert again.version.spec == built.version.spec == "tales@1"
    assert sum(again.performed.values()) <= 1  # files are hashed again: nothing else is done


def test_workers_and_place_do_not_show_in_the_bytes(built: Build, tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "deep" / "site")
    other = build_here(write_recipe(tmp_path / "deep", tokenizer), root=tmp_path / "root", workers=2)
    assert other.manifest.fingerprint == built.manifest.fingerprint
    assert parquet_hashes(other.version.path) == parquet_hashes(built.version.path)


def test_a_moved_threshold_extracts_and_scores_nothing(tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "site")
    first = build_here(write_recipe(tmp_path, tokenizer))
    assert first.performed["extract"] > 0
    moved = build_here(write_recipe(tmp_path, tokenizer, **{"min_words = 40": "min_words = 168"}))
    assert moved.version.spec == "tales@2"
    assert (moved.performed["extract"], moved.performed["clean"], moved.performed["annotate"]) == (0, 0, 0)
    assert moved.manifest.counts["documents"] < first.manifest.counts["documents"]


def test_one_new_page_extracts_one_page(tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "site")
    recipe = write_recipe(tmp_path, tokenizer)
    build_here(recipe)
    (tmp_path / "site" / "page-0005-new.html").write_text(html(prose(5000), "New"))
    second = build_here(recipe)
    assert second.performed["extract"] == 1
    assert second.version.spec == "tales@2"


def test_the_next_build_signs_only_what_is_new_even_where_no_work_is_left(
    tmp_path: Path, tokenizer: Path
) -> None:
    write_site(tmp_path / "site")
    recipe = write_recipe(tmp_path, tokenizer)
    build_here(recipe)
    (tmp_path / "site" / "page-0005-new.html").write_text(html(prose(5000), "New"))
    shutil.rmtree(tmp_path / ".gristmill" / "work")
    second = build_here(recipe)
    assert second.performed["sign"] == 1
    alone = build_here(write_recipe(tmp_path / "alone", tokenizer, **{'"site': f'"{tmp_path}/site'}))
    assert alone.performed["sign"] == query(alone.version, "select count(*) from signatures").item()
    hashes = [parquet_hashes(each.version.path) for each in (second, alone)]
    assert hashes[0] == hashes[1]


AGAINST = {"[split]": '[dedup]\nagainst = ["tales@1", "mine.parquet"]\n\n[split]', '"tales"': '"more"'}


def test_what_another_corpus_holds_is_dropped_in_favour_of_it(tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "site")
    first = build_here(write_recipe(tmp_path, tokenizer))
    for n in range(100, 120):
        (tmp_path / "site" / f"page-{n}.txt").write_text(prose(n))
    pl.DataFrame({"text": [prose(7777), prose(104)]}).write_parquet(tmp_path / "mine.parquet")
    more = build_here(write_recipe(tmp_path, tokenizer, **AGAINST))
    dropped = query(
        more.version,
        """select d.*, p.locator, f.detail from duplicates d join fates f using (doc_id) join pages p using (page_id)
           where against is not null order by against, locator""",
    )
    theirs = query(first.version, "select doc_id from documents")["doc_id"].to_list()
    (own,) = dropped.filter(against="mine.parquet").to_dicts()
    assert (own["locator"], own["survivor_id"], own["method"]) == ("page-104.txt", "1", "exact")
    assert own["detail"] == "similarity 1.0 to mine.parquet"
    rest = dropped.filter(against="tales@1")
    assert rest.height >= len(theirs)
    assert set(rest["survivor_id"]) <= set(theirs)
    assert query(more.version, "select count(*) from documents").item() == 19
    assert verify(more.version) == []
    pl.DataFrame({"text": [prose(7777), prose(105)]}).write_parquet(tmp_path / "mine.parquet")
    again = build_here(tmp_path / "recipe.toml")
    assert again.version.spec == "more@2"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("nobody@3", 'dedup.against names "nobody@3": no corpus named "nobody"'),
        ("gone.parquet", 'names "gone.parquet"; there is no such file'),
        ("odd.parquet", "has no column `text`; it has body"),
        ("broken.parquet", "cannot be read as Parquet"),
    ],
)
def test_an_against_that_is_not_there_is_told_before_any_work(
    tmp_path: Path, tokenizer: Path, entry: str, told: str
) -> None:
    write_site(tmp_path / "site", 2)
    pl.DataFrame({"body": ["x"]}).write_parquet(tmp_path / "odd.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    recipe = write_recipe(tmp_path, tokenizer, **{"[split]": f'[dedup]\nagainst = ["{entry}"]\n[split]'})
    with pytest.raises(UserError, match=re.escape(told)):
        build_here(recipe)


def test_equal_pages_are_extracted_once(tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "site", pages=8)
    for n in range(5):
        (tmp_path / "site" / f"repeat-{n}.html").write_text(html(prose(7000)))
    built = build_here(write_recipe(tmp_path, tokenizer))
    files = list((tmp_path / "site").iterdir())
    assert built.performed["extract"] == len(files) - 5  # four repeats, and copy.txt


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({'model = "/': 'model = "/no/such'}, NotFound, "no model at"),
        ({"min_words = 40": "min_words = 4000"}, EmptyCorpus, "length:min_words"),
    ],
)
def test_what_cannot_be_built_harms_nothing_published(
    tmp_path: Path, tokenizer: Path, change: dict[str, str], error: type[UserError], words: str
) -> None:
    write_site(tmp_path / "site", pages=8)
    published = build_here(write_recipe(tmp_path, tokenizer)).version.path
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    with pytest.raises(error, match=words):
        build_here(write_recipe(tmp_path, tokenizer, **change))
    assert [path.name for path in published.parent.iterdir()] == ["v1"]
    assert {path: path.read_bytes() for path in published.rglob("*") if path.is_file()} == before


def test_too_few_documents_for_the_splits_is_told_with_what_to_do(tmp_path: Path, tokenizer: Path) -> None:
    (tmp_path / "site").mkdir()
    for n in range(2):
        (tmp_path / "site" / f"{n}.txt").write_text(prose(n))
        (tmp_path / "site" / f"{n}.html").write_text(html(prose(n)))
    with pytest.raises(SplitError, match="too few for 3 splits"):
        build_here(write_recipe(tmp_path, tokenizer))


def test_the_version_is_a_dataset_as_it_lies_there(built: Build, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for table in ("documents", "chunks"):
        loaded = datasets.load_dataset(str(built.version.path), table, cache_dir=str(tmp_path))
        assert set(loaded) == {"train", "validation", "test"}
        rows = sum(split.num_rows for split in loaded.values())
        assert rows == built.manifest.counts[table]


def test_one_flipped_byte_in_any_file_is_noticed(built: Build, tmp_path: Path) -> None:
    from corpus.versions import verify
    from schemas.errors import Corruption
    from schemas.store import VersionPath

    copy = VersionPath("tales", 1, Path(shutil.copytree(built.version.path, tmp_path / "v1")))
    assert verify(copy) == []
    for path in sorted(path for path in copy.path.rglob("*") if path.is_file()):
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(
            data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        )
        try:
            assert verify(copy), path
        except Corruption:
            pass
        path.write_bytes(data)
    assert verify(copy) == []
