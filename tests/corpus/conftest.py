"""A tokenizer for every build, and one small corpus that tests only read."""

from pathlib import Path

import pytest
from builds import build_here, write_recipe, write_site
from tiny_model import make_tokenizer

from corpus.pipeline import Build


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Build:
    """The small corpus, built once with one worker. Read it, never write to it."""
    base = tmp_path_factory.mktemp("built")
    write_site(base / "site")
    return build_here(write_recipe(base, tokenizer))
