"""[mix] in a whole build: its fates, its rejects, its record, and what a person reads; and nothing of it where it is off."""

from pathlib import Path

import pytest
from builds import build_here, prose

from corpus.commands.summary import version_summary
from corpus.pipeline import Build
from corpus.query import query
from corpus.versions import verify
from plugins.registry import load_recipe
from schemas.errors import RecipeError

RECIPE = """\
name = "mixed"

[[source]]
use = "files"
name = "small"
path = "small/*.txt"

[[source]]
use = "files"
name = "large"
path = "large/*.txt"
{mix}
[split]
val = 0.1
test = 0.1

[tokens]
model = "{model}"
max_tokens = 128
"""


def write(base: Path, tokenizer: Path, mix: str) -> Path:
    for source, numbers in (("small", range(10)), ("large", range(100, 140))):
        (base / source).mkdir(parents=True)
        for n in numbers:
            (base / source / f"{n}.txt").write_text(prose(n))
    (base / "recipe.toml").write_text(RECIPE.format(mix=mix, model=tokenizer))
    return base / "recipe.toml"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Build:
    return build_here(
        write(tmp_path_factory.mktemp("mixed"), tokenizer, "\n[mix]\nweights = { small = 4.0 }\n")
    )


def test_what_the_mix_dropped_has_a_fate_and_its_text_and_the_version_is_whole(mixed: Build) -> None:
    lost = query(
        mixed.version,
        "select source, reason, detail, length(text) n from fates join rejects using (doc_id, source) where stage = 'mix'",
    )
    assert 25 <= lost.height <= 32
    assert set(lost["source"]) == {"large"}
    assert set(lost["reason"]) == {"weight"}
    assert lost["detail"].str.contains("of large, which is to have").all()
    assert lost["n"].min() > 0
    assert verify(mixed.version) == []


def test_shares_stand_in_the_manifest_and_in_the_summary(mixed: Build) -> None:
    counts = next(record.counts for record in mixed.manifest.phases if record.name == "mix")
    assert counts["in"] - counts["out"] == counts["weight"]
    assert counts["chars:large"] == pytest.approx(counts["chars:small"], rel=0.1)
    told = "\n".join(version_summary(mixed.version, mixed.manifest))
    assert "mix: share of each source before, as asked for, and now:" in told
    assert "small" in told


def test_a_recipe_without_mix_has_no_trace_of_it(built: Build) -> None:
    assert "mix" not in built.manifest.recipe
    assert "mix" not in {record.name for record in built.manifest.phases}
    assert "mix: " not in "\n".join(version_summary(built.version, built.manifest))


def test_a_weight_of_no_source_is_a_fault_that_names_the_nearest(tmp_path: Path, tokenizer: Path) -> None:
    recipe = write(tmp_path, tokenizer, "\n[mix]\nweights = { smal = 4.0 }\ncap = { sites = 3 }\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe)
    assert "mix.cap.sites" in str(caught.value)
    recipe.write_text(recipe.read_text().replace("cap = { sites = 3 }", ""))
    with pytest.raises(RecipeError, match=r'mix\.weights +"smal" is not a source.*Nearest: "small"'):
        load_recipe(recipe)
