"""The demo on a tiny model: the same steps, in seconds."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tiny_model import make_tiny_model

from corpus import demo as module
from corpus.demo import FOLDER, demo
from corpus.demo_site import served
from corpus.shipped import recipes
from plugins.registry import load_recipe
from schemas.errors import MissingExtra
from schemas.store import Store

BUNDLED = recipes() / "demo" / "recipe.toml"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The bundled recipe with a model that is made here, and few pages."""
    model = make_tiny_model(tmp_path / "model")
    text = (
        BUNDLED
        .read_text(encoding="utf-8")
        .replace("smollm2-135m", str(model))
        .replace('backend = "auto"', 'backend = "peft"')
    )
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace("max_tokens = 512", "max_tokens = 256"), encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_demo_walks_the_whole_path_and_a_second_one_shows_what_is_there(
    tmp_path: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(tmp_path, steps=2, recipe=recipe)
    told = capsys.readouterr().out
    assert re.findall(r"^(\d)\. ", told, flags=re.MULTILINE) == list("1234567")
    for part in (
        "hearthside@1: 65 pages",  # 59, and six addresses that lead nowhere
        "listing",
        "merged",
        "length:min_words",
        "from fates",
        "2 steps",
        "perplexity",
        "base",
        "tuned",
        "gristmill chat hearthside/1",
    ):
        assert part in told
    demo(tmp_path, steps=2, recipe=recipe)
    again = capsys.readouterr().out
    assert "It already is hearthside@1" in again
    assert "hearthside/1 is already trained" in again
    assert "Not opened again" in again
    runs = Store(tmp_path / FOLDER).runs / "hearthside"
    assert [path.name for path in runs.iterdir() if path.is_dir()] == ["1"]
    assert len(json.loads((runs / "1" / "gristmill.json").read_text(encoding="utf-8"))["openings"]) == 1


def test_bounded_steps_change_the_training_and_not_the_corpus(tmp_path: Path) -> None:
    port = module._port(BUNDLED)
    bounded = load_recipe(module._recipe(BUNDLED, tmp_path, 3, port))
    bundled = load_recipe(BUNDLED)
    assert bounded.recipe.train.max_steps == 3
    assert bundled.recipe.train.max_steps is None
    assert bounded.sections == bundled.sections
    assert module._recipe(BUNDLED, tmp_path, None, port) == BUNDLED
    (seed,) = load_recipe(module._recipe(BUNDLED, tmp_path, None, 9)).scrapers[0].options["seeds"]
    assert seed == "http://127.0.0.1:9/"


def test_the_site_is_served_elsewhere_where_its_port_is_taken_and_the_recipe_follows(tmp_path: Path) -> None:
    with served(BUNDLED.parent / "site", 0) as taken, served(BUNDLED.parent / "site", taken) as other:
        assert other != taken
        moved = load_recipe(module._recipe(BUNDLED, tmp_path, None, other))
    assert moved.recipe.source[0].options["seeds"] == [f"http://127.0.0.1:{other}/"]
    assert moved.path.parent == tmp_path


def test_a_missing_extra_is_named_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_installed", lambda name: name not in {"torch", "trl"})
    with pytest.raises(MissingExtra, match=r"torch, trl are not installed.*pip install 'gristmill\[train\]'"):
        demo(tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_a_trainer_the_demo_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none: Any = ()
    monkeypatch.setattr(module, "entry_points", lambda **wanted: none)
    with pytest.raises(MissingExtra, match=r"gristmill\[train\]"):
        demo(tmp_path)
