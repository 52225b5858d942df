"""The same in Python, in as many words."""

from pathlib import Path

import polars as pl
import pytest
from builds import write_recipe, write_site

import corpus
from corpus.pipeline import Build
from schemas.errors import NotFound, UserError


def test_a_version_is_built_opened_asked_and_verified(tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "site", pages=8)
    version = corpus.build(write_recipe(tmp_path, tokenizer), root=tmp_path, workers=1, quiet=True)
    assert version.spec == "tales@1"
    assert version == corpus.open("tales@1", root=tmp_path.absolute())
    frame = version.sql("select count(*) as n from documents")
    assert isinstance(frame, pl.DataFrame)
    assert frame["n"].to_list() == [version.manifest.counts["documents"]]
    assert version.verify() == []


def test_what_goes_wrong_is_the_same_error_as_in_the_command(built: Build) -> None:
    root = built.version.path.parent.parent.parent
    with pytest.raises(UserError, match="not allowed"):
        corpus.open("tales", root=root).sql("drop table fates")
    with pytest.raises(NotFound, match="has no version"):
        corpus.open("tales@7", root=root)
