"""Plugins are found by name, in packages and in local files; a recipe's faults are told together, theirs among them."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from builds import build_here, write_recipe, write_site
from tiny_model import make_tokenizer

from corpus.query import query
from plugins.contracts import Cleaner, Filter
from plugins.entries import entries, local_entries
from plugins.registry import ResolvedRecipe, load_recipe
from plugins.specs import PluginSpec
from schemas.errors import RecipeError, UserError

RECIPE = """
name = "tales"
[[source]]
use = "files"
path = "*.txt"
"""

CLEANER = '''
from plugins.contracts import Cleaner

class StripDiceRolls(Cleaner):
    """Remove dice rolls."""

    name = "strip-dice-rolls"
    keep_totals: bool = False
    """Leave the total in place of the roll."""

    def clean(self, text: str) -> str:
        return text.replace("[2d6+1: 9] ", "9 " if self.keep_totals else "")
'''

FILTER = """
import polars as pl
from plugins.contracts import Filter

class Vowels(Filter):
    name = "vowels"
    scores = ("{score}",)
    letters: str = "aeiou"

    def score(self, texts):
        return texts.str.count_matches(f"[{{self.letters}}]").alias("{score}").to_frame()

    def rules(self):
        return []
"""

Load = Callable[..., ResolvedRecipe]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a recipe of the minimal one and more text, beside files of these names and contents."""

    def loaded(text: str = "", head: str = "", **files: str) -> ResolvedRecipe:
        for name, content in files.items():
            (tmp_path / f"{name}.py").write_text(content)
        path = tmp_path / "recipe.toml"
        path.write_text(head + RECIPE + text)
        return load_recipe(path)

    return loaded


def faults(load: Load, text: str = "", head: str = "", **files: str) -> dict[str, str]:
    with pytest.raises(RecipeError) as caught:
        load(text, head, **files)
    return {fault.key: fault.message for fault in caught.value.faults}


# ------------------------------------------------------------------------------------------------ files beside the recipe

LISTED = """
from pathlib import Path
from typing import Annotated
import polars as pl
from plugins.contracts import Beside, Filter, Rule

class Listed(Filter):
    name = "listed"
    argument = "title"
    reads = ("url",)
    title: str = "x"
    words: Annotated[str | None, Beside()] = None

    def columns(self):
        return (f"listed_{self.title}",)

    def score(self, texts):
        return pl.DataFrame({self.columns()[0]: [Path(self.words).read_text()] * len(texts)})

    def rules(self):
        return []
"""

LISTING = '[[filter]]\nuse = "listed:{}"\nwords = "{}"\n'


def test_the_content_of_a_file_that_an_option_names_is_identity_and_its_place_is_not(tmp_path: Path) -> None:
    found = []
    for folder, words in (("one", "a"), ("other", "a"), ("third", "b")):
        base = tmp_path / folder
        base.mkdir()
        (base / "mine.py").write_text(LISTED)
        (base / "words.txt").write_text(words)
        recipe = base / "r.toml"
        recipe.write_text(
            'name = "x"\nplugins = ["mine.py"]\n[[source]]\nuse = "files"\npath = "*.txt"\n'
            + LISTING.format("t", "words.txt")
        )
        found.append(load_recipe(recipe))
    one, other, third = found
    assert one.sections == other.sections != third.sections
    assert one.filters[0].identity() == other.filters[0].identity() != third.filters[0].identity()
    assert one.corpus_sections()["filter"][0]["words"] == "words.txt"
    made = PluginSpec.from_json(json.loads(json.dumps(third.filters[0].to_json()))).make()
    assert isinstance(made, Filter)
    assert made.score(pl.Series(["x"])).to_dicts() == [{"listed_t": "b"}]


def test_a_file_that_changed_after_the_recipe_was_read_is_not_used(load: Load, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a")
    head = 'plugins = ["mine.py"]\n'
    spec = load(LISTING.format("t", "words.txt"), head=head, mine=LISTED).filters[0]
    (tmp_path / "words.txt").write_text("another")
    with pytest.raises(UserError, match="has changed since the recipe was read. Run the same command again"):
        spec.make()


@pytest.mark.parametrize("value", ["5", "[1]"])
def test_what_names_no_file_is_a_fault_like_any_other(load: Load, value: str) -> None:
    table = f'[[filter]]\nuse = "listed"\nwords = {value}\n'
    assert "filter.0.words" in faults(load, table, head='plugins = ["mine.py"]\n', mine=LISTED)


def test_a_file_that_an_option_names_and_that_is_not_there_is_a_fault(load: Load) -> None:
    assert (
        "cannot be read: No such file"
        in faults(load, LISTING.format("t", "gone.txt"), head='plugins = ["mine.py"]\n', mine=LISTED)[
            "filter.0.words"
        ]
    )


def test_only_a_plugin_that_takes_an_argument_has_one(load: Load) -> None:
    assert faults(load, '[[filter]]\nuse = "length:9"\n') == {
        "filter.0.use": '"length" takes nothing behind a colon; write use = "length"'
    }


# ------------------------------------------------------------------------------------------------ local files


def test_a_cleaner_from_a_local_file_is_seen_in_the_edits_of_a_build(tmp_path: Path) -> None:
    write_site(tmp_path / "site", pages=8)
    (tmp_path / "site" / "page-000.txt").write_text(
        "She swings. [2d6+1: 9] It hits. " + "The rain fell on. " * 20
    )
    (tmp_path / "dice.py").write_text(CLEANER)
    steps = 'plugins = ["dice.py"]\n\n[[clean]]\nuse = "strip-dice-rolls"\n\n[[source]]'
    recipe = write_recipe(tmp_path, make_tokenizer(tmp_path / "model"), **{"[[source]]": steps})
    built = build_here(recipe, workers=2)
    edits = query(
        built.version,
        "select e.step, e.start, before, after, text from edits e join documents using (doc_id)",
    )
    assert edits.rows() == [("0:strip-dice-rolls", 12, "[2d6+1: 9] ", "", edits["text"][0])]
    assert edits["text"][0].startswith("She swings. It hits.")


def test_a_local_plugin_may_take_the_place_of_an_installed_one(load: Load) -> None:
    mine = CLEANER.replace("strip-dice-rolls", "unicode")
    first, _ = load(head='plugins = ["mine.py"]\n', mine=mine).cleaners
    assert type(first.make()).__name__ == "StripDiceRolls"


def test_a_changed_file_is_another_plugin_and_what_was_read_before_refuses_to_run(load: Load) -> None:
    text, head = '[[clean]]\nuse = "strip-dice-rolls"\n', 'plugins = ["dice.py"]\n'
    before = load(text, head, dice=CLEANER).cleaners[0]
    assert before.identity() == load(text, head, dice=CLEANER).cleaners[0].identity()
    after = load(text, head, dice=CLEANER.replace('"9 "', '"nine "')).cleaners[0]
    assert after.code != before.code
    assert isinstance(after.make(), Cleaner)
    with pytest.raises(UserError, match="strip-dice-rolls.* is not what it was when the recipe was read"):
        before.make()


def test_where_a_plugin_file_lies_is_no_part_of_its_identity(tmp_path: Path) -> None:
    made = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dice.py").write_text(CLEANER)
        (tmp_path / folder / "recipe.toml").write_text(
            f'plugins = ["dice.py"]\n{RECIPE}[[clean]]\nuse = "strip-dice-rolls"\n'
        )
        made.append(load_recipe(tmp_path / folder / "recipe.toml").cleaners[0])
    assert made[0].identity() == made[1].identity()
    assert made[0].file != made[1].file


def test_a_plugin_crosses_processes_as_json(load: Load) -> None:
    spec = load(
        '[[clean]]\nuse = "strip-dice-rolls"\nkeep_totals = true\n', 'plugins = ["dice.py"]\n', dice=CLEANER
    ).cleaners[0]
    again = PluginSpec.from_json(spec.to_json())
    plugin = again.make()
    assert isinstance(plugin, Cleaner)
    assert plugin.clean("a [2d6+1: 9] b") == "a 9 b"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1 / 0\n", "cannot be imported: ZeroDivisionError: division by zero"),
        ("def broken(:\n", "cannot be imported: SyntaxError"),
        (
            "import no_such_library\n",
            "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'",
        ),
        ("x = 1\n", "defines no plugin; a plugin is a class derived from one of Scraper, Extractor, Cleaner"),
        (CLEANER.replace("def clean(", "def claen("), "Cleaner StripDiceRolls has no method `clean`"),
        (CLEANER.replace('    name = "strip-dice-rolls"\n', ""), "Cleaner StripDiceRolls has no `name`"),
    ],
    ids=["raises", "syntax", "import", "no plugin", "no method", "no name"],
)
def test_a_file_without_a_working_plugin_is_a_fault_that_says_why(
    load: Load, content: str, words: str
) -> None:
    found = faults(load, head='plugins = ["mine.py"]\n', mine=content)
    assert list(found) == ["plugins.0"]
    assert words in found["plugins.0"]
    assert "mine.py" in found["plugins.0"]


def test_a_plugin_file_that_is_not_there_is_a_fault(load: Load) -> None:
    assert (
        "gone.py cannot be read: No such file or directory"
        in faults(load, head='plugins = ["gone.py"]\n')["plugins.0"]
    )


def test_a_base_class_of_ones_own_is_no_plugin(tmp_path: Path) -> None:
    base = CLEANER.replace(
        "class StripDiceRolls(Cleaner):", "class Base(Cleaner):\n    pass\n\nclass StripDiceRolls(Base):"
    )
    (tmp_path / "mine.py").write_text(base)
    assert [entry.name for entry in local_entries(tmp_path / "mine.py")] == ["strip-dice-rolls"]


# ------------------------------------------------------------------------------------------------ faults


def test_all_faults_are_told_together_one_a_line_with_the_nearest_match(load: Load) -> None:
    text = """
[[clean]]
use = "unicod"
[[filter]]
use = "length"
[[filter]]
use = "language"
min_score = 65
kep = ["en"]
[split]
vall = 0.1
"""
    with pytest.raises(RecipeError) as caught:
        load(text)
    assert str(caught.value).splitlines() == [
        "recipe.toml: 4 faults",
        f'  clean.0.use          "unicod" is not a cleaner. Nearest: "unicode". `gristmill plugins cleaners` lists all {len(entries("cleaner"))}.',
        '  filter.1.kep         is not a key of this table. Nearest: "keep".',
        "  filter.1.min_score   is 65; it must be at most 1.0. Did you mean 0.65?",
        '  split.vall           is not a key of this table. Nearest: "val".',
    ]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('[extract]\nuse = "trafilatur"\n', "extract.use", 'is not an extractor. Nearest: "trafilatura"'),
        ('[tokens]\nformat = "txt"\n', "tokens.format.use", 'is not a format. Nearest: "text"'),
        (
            '[tokens]\nformat = { use = "text", turn = 1 }\n',
            "tokens.format.turn",
            "is not a key of this table",
        ),
        ('[train]\nbackend = "unslot"\n', "train.backend.use", 'is not a backend. Nearest: "unsloth"'),
        ("[extract]\ncpu_second = 3\n", "extract.cpu_second", "is not a key of this table"),
        ('extract = "none"\n', "extract", "is 'none'; it must be a table"),
        ("[[filter]]\nmin_words = 3\n", "filter.0.use", "is missing"),
    ],
)
def test_every_table_that_names_a_plugin_is_checked(load: Load, text: str, key: str, words: str) -> None:
    head = text if text.startswith("extract") else ""
    found = faults(load, "" if head else text, head)
    assert list(found) == [key]
    assert words in found[key]


def test_the_keys_of_a_section_are_its_own_and_not_the_plugins(load: Load) -> None:
    resolved = load("[extract]\ncpu_seconds = 3\nfast = true\n")
    assert resolved.recipe.extract.cpu_seconds == 3
    assert resolved.extractor.options["fast"] is True
    assert "cpu_seconds" not in resolved.extractor.options
    assert "use" not in resolved.scrapers[0].options


def test_two_filters_may_share_a_score_only_if_they_compute_it_alike(load: Load) -> None:
    twice = '[[filter]]\nuse = "vowels"\n[[filter]]\nuse = "vowels"\nletters = "ae"\n'
    found = faults(load, twice, 'plugins = ["mine.py"]\n', mine=FILTER.format(score="vowels"))
    assert (
        'writes the score "vowels", which filter.0 already computes with other options' in found["filter.1"]
    )
    moved = load('[[filter]]\nuse = "length"\n[[filter]]\nuse = "length"\nmin_words = 9\n')
    assert len(moved.filters) == 2, "only thresholds differ"


@pytest.mark.parametrize("score", ["doc_id", "failed"])
def test_a_score_may_not_take_a_column_of_gristmills_own(load: Load, score: str) -> None:
    found = faults(
        load, '[[filter]]\nuse = "vowels"\n', 'plugins = ["mine.py"]\n', mine=FILTER.format(score=score)
    )
    assert f'"{score}"' in found["filter.0"]


def test_what_a_plugin_finds_amiss_when_the_recipe_is_read_is_a_fault_of_its_table(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_bytes(b"caf\xe9")
    found = faults(load, '[[filter]]\nuse = "bad-words"\nfiles = "words.txt"\n')
    assert "is not UTF-8" in found["filter.0"]


# ------------------------------------------------------------------------------------------------ what trains

TRAINING = """
from plugins.contracts import Callback, Optimizer

class Lion(Optimizer):
    \"\"\"A sign of momentum.\"\"\"
    name = "lion"
    full_batch = True
    beta: float = 0.9
    def make(self, groups, *, learning_rate, weight_decay):
        raise NotImplementedError

class Bell(Callback):
    \"\"\"Rings.\"\"\"
    name = "bell"
    times: int = 1
"""


@pytest.mark.parametrize(
    ("text", "use", "options"),
    [
        ("", "adamw", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
        ('optimizer = "sgd"', "sgd", {"momentum": 0.0, "nesterov": False}),
        ('optimizer = { use = "sgd", momentum = 0.9 }', "sgd", {"momentum": 0.9, "nesterov": False}),
        ('optimizer = { use = "lion", beta = 0.5 }', "lion", {"beta": 0.5}),
    ],
)
def test_an_optimiser_is_a_name_or_a_table_with_its_options(
    load: Load, text: str, use: str, options: dict
) -> None:
    spec = load(f"[train]\n{text}\n", 'plugins = ["mine.py"]\n', mine=TRAINING).optimizer
    assert spec is not None
    assert (spec.use, spec.options) == (use, options)


def test_an_optimiser_of_transformers_is_left_to_the_trainer(load: Load) -> None:
    resolved = load('[train]\noptimizer = { use = "lion_32bit", beta1 = 0.9 }\n')
    assert resolved.optimizer is None
    assert resolved.recipe.train.optimizer.options == {"beta1": 0.9}
    assert not resolved.full_batch


def test_callbacks_are_a_list_in_the_recipes_order(load: Load) -> None:
    text = '[[train.callback]]\nuse = "bell"\ntimes = 3\n[[train.callback]]\nuse = "target"\nvalue = 2.5\n'
    resolved = load(text, 'plugins = ["mine.py"]\n', mine=TRAINING)
    assert [(spec.use, spec.options) for spec in resolved.callbacks] == [
        ("bell", {"times": 3}),
        ("target", {"metric": "val_loss", "value": 2.5}),
    ]
    assert load().callbacks == ()


def test_whether_a_step_takes_all_rows_is_said_by_the_optimiser(load: Load) -> None:
    head = 'plugins = ["mine.py"]\n'
    named = [f'[train]\noptimizer = "{name}"\n' for name in ("gd", "lion", "sgd")]
    assert [load(text, head, mine=TRAINING).full_batch for text in named] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('[train]\noptimizer = { use = "sgd", momentm = 0.9 }', "train.optimizer.momentm", 'Nearest: "momentum"'),
        ('[train]\noptimizer = { use = "sgd", momentum = 9 }', "train.optimizer.momentum", "is 9"),
        ('[train]\noptimizer = { use = "sgd", nesterov = true }', "train.optimizer", "write momentum = 0.9"),
        ("[train]\noptimizer = { momentum = 0.9 }", "train.optimizer.use", "is missing"),
        ('[[train.callback]]\nuse = "taget"', "train.callback.0.use", 'is not a callback. Nearest: "target"'),
        ('[[train.callback]]\nuse = "target"', "train.callback.0.value", "is missing"),
        ('[[train.callback]]\nuse = "stop-file"\nfil = "x"', "train.callback.0.fil", 'Nearest: "file"'),
        ('[train]\ncallback = "target"', "train.callback", "must be a list"),
    ],
)  # fmt: skip
def test_a_wrong_name_or_option_of_what_trains_is_a_fault(
    load: Load, text: str, key: str, words: str
) -> None:
    found = faults(load, f"{text}\n")
    assert list(found) == [key]
    assert words in found[key]


def test_what_trains_is_no_part_of_a_corpus(load: Load) -> None:
    text = '[train]\noptimizer = "sgd"\n[[train.callback]]\nuse = "stop-file"\n'
    assert load(text).sections == load().sections


# ------------------------------------------------------------------------------------------------ sections


WRITTEN_OUT = """
name = "files"
[extract]
use = "trafilatura"
cpu_seconds = 20
fast = false
[[clean]]
use = "unicode"
[[clean]]
use = "whitespace"
[dedup]
exact = true
fuzzy = { threshold = 0.8, ngram = 5 }
survivor = ["-n_chars", "url"]
[split]
val = 0.05
seed = 7
[tokens]
format = { use = "text" }
max_tokens = 2048
[train]
epochs = 9
"""


def test_defaults_written_out_or_left_out_are_the_same_sections(load: Load) -> None:
    short = load()
    long = load(WRITTEN_OUT)
    assert short.sections == long.sections
    assert short.extractor == long.extractor
    assert short.cleaners == long.cleaners


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("[split]\nseed = 8\n", True),
        ('[[filter]]\nuse = "length"\n', True),
        ("[extract]\nfast = true\n", True),
        ('license_value = "CC0"\n', True),
        ('[tokens]\nmodel = "./elsewhere"\n', False),
        ("[train]\nlearning_rate = 1\n", False),
    ],
)
def test_sections_move_with_what_is_made_and_not_with_where_it_lies(
    load: Load, text: str, moves: bool
) -> None:
    assert (load(text).sections != load().sections) == moves
