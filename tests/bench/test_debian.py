"""A sample of the corpus is spread over it, and cut in two files for two workers."""

import pyarrow as pa
import pyarrow.parquet as pq

from bench import debian


def test_a_sample_is_evenly_spread_and_in_order(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(2):
        ids = [f"{number}{n}" for n in range(10)]
        pq.write_table(
            pa.table({"doc_id": ids, "url": ids, "text": ids}, debian.SCHEMA), corpus / f"{number}.parquet"
        )
    folder = debian.sample(corpus, 5, tmp_path / "sample")
    parts = [pq.read_table(path)["doc_id"].to_pylist() for path in sorted(folder.glob("*.parquet"))]
    assert parts == [["00", "04", "08"], ["12", "16"]]
    assert debian.sample(corpus, 20, tmp_path / "other") == corpus
    assert debian.sample(corpus, 0, tmp_path / "other") == corpus


def test_links_to_pages_are_not_pages(tmp_path):
    (tmp_path / "a.html").write_text("<p>a")
    (tmp_path / "b.html").symlink_to(tmp_path / "a.html")
    (tmp_path / "c.txt").write_text("c")
    assert debian.pages(tmp_path) == [tmp_path / "a.html"]
