"""Bad input, each kind through `gristmill build`: exit code 2, what is wrong and what to type; nothing published is harmed."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builds import RECIPE, html, prose, write_recipe, write_site
from tiny_model import make_tokenizer
from typer.testing import CliRunner

from corpus.cli import app
from corpus.query import query
from schemas.store import Store

SITE = '["site/**/*.html", "site/**/*.txt"]'


def run(recipe: Path, root: Path, *options: str) -> Any:
    """`gristmill build` in this process."""
    arguments = ["build", str(recipe), "--root", str(root), "--workers", "1", "--quiet", *options]
    return CliRunner().invoke(app, arguments)


def state(folder: Path) -> dict[str, str]:
    """Every file and folder below, with what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Path:
    """A root where `tales@1` is published."""
    base = tmp_path_factory.mktemp("published")
    write_site(base / "site", pages=8)
    done = run(write_recipe(base, tokenizer), base)
    assert done.exit_code == 0, done.stderr
    return base


@pytest.fixture(autouse=True)
def nothing_published_is_harmed(root: Path) -> Iterator[None]:
    before = state(root / "corpora")
    yield
    assert state(root / "corpora") == before
    assert Store(root).version("tales").manifest().version == 1


@pytest.fixture
def refused(root: Path, tmp_path: Path, tokenizer: Path) -> Callable[..., str]:
    """What a build of the recipe with `replaced` old → new says, where it must not work."""
    write_site(tmp_path / "site", pages=2)

    def refusal(text: str = RECIPE, **replaced: str) -> str:
        done = run(write_recipe(tmp_path, tokenizer, text, **replaced), root)
        assert done.exit_code == 2, done.output
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert "not foreseen" not in done.stderr
        return done.stderr

    return refusal


Refused = Callable[..., str]


def test_an_unknown_key(refused: Refused) -> None:
    assert 'filter.1.min_word   is not a key of this table. Nearest: "min_words".' in refused(
        min_words="min_word"
    )


def test_an_unknown_section(refused: Refused) -> None:
    assert 'splt   is not a key of this table. Nearest: "split".' in refused(**{"[split]": "[splt]"})


def test_an_unknown_plugin(refused: Refused) -> None:
    said = refused(**{'use = "length"': 'use = "lenght"'})
    assert '"lenght" is not a filter. Nearest: "length". `gristmill plugins filters` lists all' in said


def test_all_faults_at_once(refused: Refused) -> None:
    said = refused(**{
        "val = 0.15": "val = 15",
        'use = "length"': 'use = "lenght"',
        "max_tokens": "max_token",
    })
    assert "recipe.toml: 3 faults" in said
    assert "Did you mean 0.15?" in said


def test_a_recipe_that_is_not_there(root: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "no-such.toml", root)
    assert done.exit_code == 2
    assert "no-such.toml" in done.stderr
    assert "gristmill init" in done.stderr


def test_bad_toml(refused: Refused) -> None:
    said = refused(**{"[split]": "[split"})
    assert "is not TOML" in said
    assert "line" in said


def test_a_missing_file(refused: Refused) -> None:
    said = refused(**{SITE: '"site/gone.html"', 'group = "(thread)-[0-9]+"': "", "fold = true": ""})
    assert 'there is no file "site/gone.html"' in said
    assert "Paths are relative to the recipe's folder." in said


def test_an_empty_glob(refused: Refused) -> None:
    said = refused(**{SITE: '"site/**/*.htm"'})
    assert 'no file matches "site/**/*.htm"' in said
    assert "binary.html" in said, "what is there instead"


def test_a_csv_without_the_named_column(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,body\n1,Some words.\n")
    said = refused(**{SITE: '"rows.csv"', 'group = "(thread)-[0-9]+"': 'text = "bdy"', "fold = true": ""})
    assert (
        'has no column "bdy", which the option `text` names. Nearest: "body". Its columns: id, body.' in said
    )


def test_a_binary_posing_as_html_is_a_fate_and_alone_an_empty_corpus(
    refused: Refused, root: Path, tmp_path: Path, tokenizer: Path
) -> None:
    told = query(
        Store(root).version("tales"),
        "select f.stage, f.reason, doc_id from fates f join pages using (page_id) where locator = 'binary.html'",
    )
    assert told.rows() == [("extract", "binary", None)]
    said = refused(**{SITE: '"site/binary.html"'})
    assert "nothing is left to publish of 1 pages; most were lost to: extract binary (1)" in said


def test_a_tokenizer_that_cannot_be_found(refused: Refused) -> None:
    assert "no model at /no/such" in refused(**{'model = "/': 'model = "/no/such/'})
    said = refused(**{'model = "/': 'model = "smollm2-135m"  # not /'})
    assert "gristmill models pull smollm2-135m" in said


def test_a_tokenizer_that_is_not_json(refused: Refused, tmp_path: Path) -> None:
    make_tokenizer(tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").write_text("{ half")
    done = run(write_recipe(tmp_path, tmp_path / "model"), tmp_path)
    assert done.exit_code == 4
    assert "is not JSON" in done.stderr


@pytest.mark.parametrize("place", ["a-file/root", "/proc/root-of-mine"])
def test_a_root_that_cannot_be_written(tmp_path: Path, tokenizer: Path, place: str) -> None:
    write_site(tmp_path / "site", pages=2)
    (tmp_path / "a-file").touch()
    done = run(write_recipe(tmp_path, tokenizer), tmp_path / place)
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert "--root" in done.stderr


def test_a_corpus_of_which_filters_leave_nothing(refused: Refused) -> None:
    said = refused(**{"min_words = 40": "min_words = 4000"})
    assert "filter length:min_words" in said
    assert "[[filter]]" in said


def test_a_corpus_of_which_cleaning_leaves_nothing(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "eraser.py").write_text(
        "from plugins.contracts import Cleaner\n\nclass Eraser(Cleaner):\n    name = 'eraser'\n\n"
        "    def clean(self, text: str) -> str:\n        return ''\n"
    )
    head = {
        'name = "tales"': 'name = "tales"\nplugins = ["eraser.py"]',
        '[[filter]]\nuse = "language"': '[[clean]]\nuse = "eraser"\n\n[[filter]]\nuse = "language"',
    }
    assert "most were lost to: clean empty (" in refused(**head)


def test_a_table_with_a_header_and_no_row(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,text\n")
    said = refused(**{SITE: '"rows.csv"', 'group = "(thread)-[0-9]+"': "", "fold = true": ""})
    assert "no source yielded a single page" in said


def test_splits_that_cannot_all_have_a_document(refused: Refused, tmp_path: Path) -> None:
    for path in (tmp_path / "site").iterdir():
        path.unlink()
    for n in range(2):
        (tmp_path / "site" / f"{n}.txt").write_text(prose(n))
        (tmp_path / "site" / f"{n}.html").write_text(html(prose(n)))
    said = refused()
    assert "the kept documents form 2 groups, too few for 3 splits" in said
    assert "set val = 0 or test = 0 in [split]" in said


def test_a_group_that_is_no_column(refused: Refused) -> None:
    said = refused(**{"[split]": '[split]\ngroup = "autor"'})
    assert 'split.group is "autor", which is not a column of the documents. Nearest: "author".' in said


def test_a_val_split_that_is_not_wanted_is_empty_and_no_fault(
    root: Path, tmp_path: Path, tokenizer: Path
) -> None:
    write_site(tmp_path / "site", pages=6)
    done = run(write_recipe(tmp_path, tokenizer, **{"val = 0.15": "val = 0"}), tmp_path)
    assert done.exit_code == 0, done.stderr
    manifest = Store(tmp_path).version("tales").manifest()
    assert manifest.splits["val"].documents == 0
    assert manifest.splits["test"].documents > 0
