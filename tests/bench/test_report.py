"""The report keeps what was measured before, and says what failed."""

from bench import report
from bench.parts import dedup, filters, language, million, parity, pipeline
from bench.run import PARTS, failed

KNOWN = {
    "machine": {"processor": "P", "cores": 2, "memory_gb": 8.0, "system": "Linux", "python": "3.11"},
    "versions": {"gristmill": {"polars": "2.1"}},
    "corpus": {"packages": 1, "pages": 10, "documents": 9, "megabytes": 1.0},
}


def part(figures):
    return {"measured": "2026-01-01", "call": "language --runs 1", "figures": figures}


def test_parts_not_run_keep_their_figures(tmp_path):
    path = tmp_path / "results.json"
    report.update({**KNOWN, "parts": {"language": part({"error": "x"})}}, path)
    merged = report.update({**KNOWN, "parts": {"dedup": part({})}}, path)
    assert set(merged["parts"]) == {"language", "dedup"}


def test_a_section_stands_for_every_part_that_was_run():
    figures = {"per_second": 1000.0, "documents": 10, "seconds": 0.01, "peak_mb": 1, "timings": [0.01]}
    text = report.text({**KNOWN, "parts": {"language": part(figures)}}, PARTS)
    assert "1,000 documents a second" in text
    assert "## dedup" not in text


def test_every_part_says_what_failed_in_it():
    broken = {"error": "killed"}
    assert "killed" in language.table(broken)
    assert "killed" in pipeline.table(broken)
    assert "killed" in filters.table({
        "samples": {"English": {"gristmill": broken, "datatrove": broken}},
        "whole": broken,
    })
    assert "killed" in million.table({"sizes": {"10": {**broken, "megabytes": 1}}})
    assert "killed" in parity.table({"wcxb": broken})
    assert "killed" in dedup.table({"documents": 1, "judged": 1, "tools": {"rensa": broken}, "known": {}})
    assert failed({"parts": {"dedup": {"tools": {"rensa": broken}}}})
