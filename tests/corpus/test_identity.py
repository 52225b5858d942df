"""A version's fingerprint moves if, and only if, something moves that its bytes depend on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tiny_model import make_tokenizer

from corpus.engine.executor import Engine
from corpus.engine.progress import Progress
from corpus.identity import disturbed_fingerprint, libraries, version_fingerprint
from corpus.phases.gather import gather
from corpus.phases.tokenize_shards import tokenizer_record
from plugins.models import resolve
from plugins.registry import load_recipe
from schemas.fingerprint import canonical
from schemas.manifest import SourceRecord, TokenizerRecord
from schemas.runtime import Runtime

SHOUT = """
from plugins.contracts import Cleaner

class Shout(Cleaner):
    name = "shout"
    loud: bool = True

    def clean(self, text: str) -> str:
        return text.upper()
"""
RECIPE = """\
name = "tales"
plugins = ["shout.py"]

[[source]]
use = "files"
path = "site/*.txt"

[[source]]
use = "files"
name = "table"
path = "rows.csv"
title = "title"

[[clean]]
use = "shout"

[[filter]]
use = "length"
min_words = 3

[split]
seed = 7

[tokens]
model = "model"

[train]
seed = 1
"""
Change = Callable[[Path], Any]


def write(folder: Path, tokenizer: Path) -> None:
    """A tiny project; nothing is built of it, only gathered."""
    (folder / "site").mkdir(parents=True)
    for n in range(3):
        (folder / "site" / f"{n}.txt").write_text(f"The {n}th page.")
    (folder / "rows.csv").write_text("text,title\nA row of text.,First\n")
    (folder / "shout.py").write_text(SHOUT)
    (folder / "model").symlink_to(tokenizer)
    (folder / "recipe.toml").write_text(RECIPE)


def fingerprint(folder: Path, workers: int = 1) -> str:
    resolved = load_recipe(folder / "recipe.toml")
    model = resolve(resolved.recipe.tokens.model, folder, resolved.base)
    engine = Engine(Runtime(root=folder / "root", workers=workers, quiet=True), Progress(quiet=True))
    try:
        return version_fingerprint(
            resolved, gather(resolved, engine).sources, tokenizer_record(model, resolved)
        )
    finally:
        engine.close()


def recipe(old: str, new: str) -> Change:
    """The change of one place in the recipe."""

    def change(folder: Path) -> None:
        text = (folder / "recipe.toml").read_text()
        assert old in text
        (folder / "recipe.toml").write_text(text.replace(old, new, 1))

    return change


def content(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text)


def other_tokenizer(folder: Path) -> None:
    (folder / "model").unlink()
    make_tokenizer(folder / "model", vocab=301)


def same_tokenizer_elsewhere(folder: Path) -> None:
    """Another name, another place, another layout of the same JSON."""
    make_tokenizer(folder / "elsewhere" / "renamed")
    path = folder / "elsewhere" / "renamed" / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=3, sort_keys=True))
    recipe('model = "model"', 'model = "elsewhere/renamed"')(folder)


def renamed_folder(folder: Path) -> None:
    (folder / "site").rename(folder / "pages")
    recipe("site/*.txt", "pages/**/*.txt")(folder)


STAYS: dict[str, Change] = {
    "nothing": lambda folder: None,
    "the glob's words": recipe('"site/*.txt"', '["site/0.txt", "site/[1-9].txt"]'),
    "the folder's name": renamed_folder,
    "the model's name and layout": same_tokenizer_elsewhere,
    "[train]": recipe("seed = 1", "seed = 2\nlearning_rate = 0.5"),
    "a [mix] that drops nothing": recipe("[split]", "[mix]\nseed = 3\n\n[split]"),
    "a default written out": recipe("min_words = 3", "min_words = 3\nmin_chars = 0"),
    "no overlap, written out": recipe('model = "model"', 'model = "model"\noverlap = 0\nheader = []'),
    "a file's time": lambda folder: (folder / "site" / "0.txt").touch(),
    "a comment in the recipe": recipe("[split]", "# the split\n[split]"),
    "a file no glob names": content("site/notes.md", "Nothing."),
}
MOVES: dict[str, Change] = {
    "the corpus' name": recipe('"tales"', '"stories"'),
    "a page's content": content("site/0.txt", "Another page."),
    "a page more": content("site/3.txt", "The 3rd page."),
    "a page less": lambda folder: (folder / "site" / "0.txt").unlink(),
    "a page's name": lambda folder: (folder / "site" / "0.txt").rename(folder / "site" / "00.txt"),
    "a title column's value": content("rows.csv", "text,title\nA row of text.,Second\n"),
    "which column is the title": recipe('title = "title"\n', ""),
    "a threshold": recipe("min_words = 3", "min_words = 4"),
    "a filter": recipe('[[filter]]\nuse = "length"\nmin_words = 3\n', ""),
    "a cleaner's option": recipe('use = "shout"', 'use = "shout"\nloud = false'),
    "one more cleaner": recipe("[[filter]]", '[[clean]]\nuse = "unicode"\n\n[[filter]]'),
    "a plugin file's source": content("shout.py", SHOUT.replace("upper", "title")),
    "the extractor": recipe("[[clean]]", '[extract]\nuse = "resiliparse"\n\n[[clean]]'),
    "an extraction limit": recipe("[[clean]]", "[extract]\ncpu_seconds = 21\n\n[[clean]]"),
    "the split's seed": recipe("seed = 7", "seed = 8"),
    "a split's share": recipe("seed = 7", "seed = 7\nval = 0.1"),
    "who survives": recipe("[split]", '[dedup]\nsurvivor = ["url", "-n_chars"]\n\n[split]'),
    "the similarity": recipe("[split]", "[dedup]\nfuzzy = { threshold = 0.7 }\n\n[split]"),
    "a source's weight": recipe("[split]", "[mix]\nweights = { table = 2.0 }\n\n[split]"),
    "a cap": recipe("[split]", "[mix]\ncap = { site = 9 }\n\n[split]"),
    "the tokenizer": other_tokenizer,
    "the longest row": recipe('model = "model"', 'model = "model"\nmax_tokens = 99'),
    "an overlap": recipe('model = "model"', 'model = "model"\noverlap = 9'),
    "the shortest row": recipe('model = "model"', 'model = "model"\nmin_tokens = 9'),
    "a header": recipe('model = "model"', 'model = "model"\nheader = ["title"]'),
    "the order of the sources' names": recipe('name = "table"', 'name = "rows"'),
}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> str:
    folder = tmp_path_factory.mktemp("first")
    write(folder, tokenizer)
    return fingerprint(folder)


@pytest.mark.parametrize("change", STAYS.values(), ids=STAYS)
def test_it_stays_where_only_place_or_words_move(
    tmp_path: Path, tokenizer: Path, first: str, change: Change
) -> None:
    write(tmp_path / "deep" / "er", tokenizer)
    change(tmp_path / "deep" / "er")
    assert fingerprint(tmp_path / "deep" / "er") == first


@pytest.mark.parametrize("change", MOVES.values(), ids=MOVES)
def test_it_moves_with_whatever_the_bytes_depend_on(
    tmp_path: Path, tokenizer: Path, first: str, change: Change
) -> None:
    write(tmp_path, tokenizer)
    change(tmp_path)
    assert fingerprint(tmp_path) != first


def test_the_number_of_workers_does_not_move_it(tmp_path: Path, tokenizer: Path, first: str) -> None:
    write(tmp_path, tokenizer)
    assert fingerprint(tmp_path, workers=2) == first


def test_libraries_name_a_distribution_once_however_a_plugin_spells_it(
    tmp_path: Path, tokenizer: Path
) -> None:
    write(tmp_path, tokenizer)
    named = list(libraries(load_recipe(tmp_path / "recipe.toml")))
    assert len({name.lower().replace("_", "-") for name in named}) == len(named)
    assert {"gristmill", "polars", "pyarrow", "python", "resiliparse", "trafilatura"} <= set(named)


# ------------------------------------------------------------------------------------------------ as a property

LENGTHS = st.fixed_dictionaries(
    {},
    optional={
        "min_words": st.integers(0, 5),
        "max_words": st.integers(5, 9),
        "min_chars": st.integers(0, 2),
    },
)
SECTIONS = st.fixed_dictionaries({
    "seed": st.integers(0, 3),
    "val": st.sampled_from([0, 0.0, 0.05, 0.1]),
    "survivor": st.permutations(["-n_chars", "url", "title"]).map(lambda keys: keys[:2]),
    "fuzzy": st.sampled_from(["true", "false", "{ threshold = 0.8 }", "{ ngram = 5 }", "{ ngram = 6 }"]),
    "length": LENGTHS,
    "epochs": st.integers(1, 3),
    "content": st.sampled_from(["a" * 32, "b" * 32]),
    "tokenizer": st.sampled_from(["c" * 32, "d" * 32]),
    "model": st.sampled_from(["one", "two"]),
})


def made(folder: Path, drawn: dict[str, Any]) -> tuple[str, str]:
    """The fingerprint, and what it should stand for: everything drawn but [train] and the model's name, in one writing."""
    options = "\n".join(f"{name} = {value}" for name, value in drawn["length"].items())
    path = folder / "drawn.toml"
    path.write_text(
        f'name = "n"\n[[source]]\nuse = "files"\npath = "{drawn["model"]}/*.txt"\n[[filter]]\nuse = "length"\n{options}\n'
        f"[dedup]\nfuzzy = {drawn['fuzzy']}\nsurvivor = {json.dumps(drawn['survivor'])}\n"
        f"[split]\nseed = {drawn['seed']}\nval = {drawn['val']}\n[train]\nepochs = {drawn['epochs']}\n"
    )
    resolved = load_recipe(path)
    record = SourceRecord(name="files", use="files", digest=drawn["content"], pages=1, bytes=1)
    tokenizer = TokenizerRecord(
        model=drawn["model"], digest=drawn["tokenizer"], eos_token_id=0, format="text", max_tokens=9
    )
    default = {"min_words": 1, "max_words": None, "min_chars": 0}
    fuzzy = {"true": "0.8 5", "{ threshold = 0.8 }": "0.8 5", "{ ngram = 5 }": "0.8 5"}
    stands = {
        **{name: drawn[name] for name in ("seed", "survivor", "content", "tokenizer")},
        "val": float(drawn["val"]),
        "fuzzy": fuzzy.get(drawn["fuzzy"], drawn["fuzzy"]),
        "length": {**default, **drawn["length"]},
    }
    return version_fingerprint(resolved, (record,), tokenizer), canonical(stands)


@given(
    SECTIONS,
    SECTIONS,
    st.sets(st.sampled_from(["seed", "val", "length", "content", "epochs", "model", "fuzzy"])),
)
def test_two_recipes_have_one_fingerprint_if_and_only_if_they_mean_one_corpus(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, Any], other: dict[str, Any], taken: set[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    other = {**one, **{name: other[name] for name in taken}}
    (first, stands), (second, means) = made(folder, one), made(folder, other)
    assert (first == second) == (stands == means)


def test_pages_disturbed_while_it_was_built_make_it_another_version() -> None:
    assert disturbed_fingerprint("f", []) == "f"
    assert len({"f", disturbed_fingerprint("f", ["a"]), disturbed_fingerprint("f", ["a", "b"])}) == 3
