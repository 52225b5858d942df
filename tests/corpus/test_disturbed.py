"""A page that is rewritten while a build runs costs itself in that version, and is back in the next."""

from pathlib import Path

import pytest
from builds import build_here, prose, write_recipe, write_site

from corpus import pipeline
from corpus.pipeline import Build
from corpus.query import query


def fate(built: Build) -> tuple[str, str | None]:
    told = query(
        built.version,
        "select stage, reason from fates join pages using (page_id) where locator = 'page-002.txt'",
    )
    return told.row(0)


def test_a_version_that_lacks_a_disturbed_page_is_not_taken_for_the_whole_one(
    tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_site(tmp_path / "site", pages=8)
    recipe = write_recipe(tmp_path, tokenizer)
    page = tmp_path / "site" / "page-002.txt"

    def rewritten_meanwhile(*arguments: object) -> object:
        page.write_text(prose(77))
        return extract(*arguments)

    extract = pipeline.extract
    monkeypatch.setattr(pipeline, "extract", rewritten_meanwhile)
    disturbed = build_here(recipe)
    monkeypatch.undo()
    assert fate(disturbed) == ("extract", "changed")

    page.write_text(prose(2))
    whole = build_here(recipe)
    assert (whole.new, whole.version.spec) == (True, "tales@2")
    assert fate(whole) == ("kept", None)
    assert whole.performed["extract"] == 1
    assert not build_here(recipe).new
