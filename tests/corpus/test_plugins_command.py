"""`gristmill plugins`: what is listed and shown, what `new` writes, how `test` answers, and a stranger's package at work.

What `test` finds is told in test_plugin_contract.py.
"""

import json
import keyword
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builds import build_here
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from corpus.cli import app
from corpus.commands.plugins import new
from corpus.commands.plugins.checks import checks
from corpus.commands.plugins.contract import _describe, check
from corpus.commands.plugins.new import new_plugin
from corpus.commands.plugins.subjects import subjects
from corpus.query import query
from plugins.entries import entries
from schemas.errors import NotFound, UserError

REPO = Path(__file__).resolve().parents[2]
HEARTH = REPO / "tests" / "third_party" / "gristmill-hearth"
CALL = "import sys; from corpus.cli import app; app(prog_name='gristmill')"


def run(*arguments: str | Path) -> Any:
    """A command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def start(*arguments: str | Path, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, with `path` before what is installed."""
    found = os.pathsep.join(str(one) for one in (path, REPO) if one)
    return subprocess.run(
        [sys.executable, "-P", "-c", CALL, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": found},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# ------------------------------------------------------------------------------------------------ list and show


def test_a_kind_needs_no_list_before_it_and_brings_the_options() -> None:
    assert run("plugins").stdout == run("plugins", "list").stdout
    assert run("plugins", "cleaners").stdout == run("plugins", "list", "cleaners", "--options").stdout
    assert "min_words_per_line" in run("plugins", "cleaners").stdout


def test_a_list_has_one_line_a_plugin_with_kind_name_and_distribution() -> None:
    lines = run("plugins", "list", "cleaner").stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["cleaner", name, "gristmill"] for name in sorted(entries("cleaner"))
    ]
    assert len(lines) >= 3


def test_a_kind_that_is_none_names_the_nearest() -> None:
    done = run("plugins", "cleanerz")
    assert done.exit_code == 2
    assert 'Nearest: "cleaner"' in done.stderr


def test_the_keys_of_an_option_that_is_a_table_are_shown_below_it() -> None:
    lines = [line.split() for line in run("plugins", "show", "warc").stdout.splitlines()]
    assert [line[:5] for line in lines if line and line[0].startswith("common_crawl")] == [
        ["common_crawl", "table", "|", "None", "unset"],
        ["common_crawl.index", "str", "required", "The", "crawl:"],
        ["common_crawl.match", "tuple[str,", "...]", "required", "Addresses,"],
        ["common_crawl.limit", "int", "=", "1000", "Captures"],
    ]
    for name in ("crawl", "forum", "hub"):
        shown = run("plugins", "show", name).stdout
        assert "plugins.scrapers" not in shown
        assert "FieldInfo" not in shown


def test_a_plugin_is_shown_with_type_default_and_meaning_of_each_option() -> None:
    (line,) = [line for line in run("plugins", "show", "length").stdout.splitlines() if "max_words" in line]
    assert line.split()[:5] == ["max_words", "int", "|", "None", "unset"]
    assert line.endswith("The most words.")
    (told,) = json.loads(run("plugins", "show", "length", "--json").stdout)
    assert told["options"]["min_words"] == {
        "type": "int",
        "required": False,
        "default": 1,
        "about": "The fewest words.",
    }


def test_an_unknown_plugin_is_not_shown_and_the_nearest_is_named() -> None:
    done = run("plugins", "show", "lenght")
    assert done.exit_code == 2
    assert 'Nearest: "length"' in done.stderr


def test_help_and_new_load_nothing_heavy(tmp_path: Path) -> None:
    heavy = ("polars", "pyarrow", "duckdb", "numpy", "torch")
    seen = f"{CALL.replace('app(', 'app(standalone_mode=False, ')}; print([n for n in {heavy} if n in sys.modules])"
    for words in (
        ["plugins", "--help"],
        ["plugins", "test", "--help"],
        ["plugins", "new", "cleaner", "mine"],
    ):
        done = subprocess.run(
            [sys.executable, "-P", "-c", seen, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(REPO)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.rstrip().endswith("[]"), words


# ------------------------------------------------------------------------------------------------ new


@pytest.mark.parametrize("kind", ["scraper", "cleaner", "filter"])
def test_what_new_writes_passes_its_own_tests_and_keeps_the_contract(kind: str, tmp_path: Path) -> None:
    project = new_plugin(kind, "night-market", tmp_path / "made")
    own = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", project],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in own.stdout, own.stdout
    (subject,) = subjects(str(project))
    assert "pip install -e" in (subject.note or "")
    outcomes = check(subject)
    assert len(outcomes) == len(checks(kind)) + 1
    assert {one.state for one in outcomes} == {"pass"}, outcomes
    assert "none changed" not in "".join(one.seen for one in outcomes)
    assert subject.distribution is not None
    (tmp_path / "info").mkdir()
    path = os.pathsep.join([*_describe(subject.distribution, tmp_path / "info"), str(REPO)])
    load = "import sys; from plugins.registry import load_recipe; load_recipe(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-P", "-c", load, project / "recipe.toml"],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )


def test_what_new_writes_is_formatted_and_holds_no_blank_to_fill_in(tmp_path: Path) -> None:
    for kind in new.kinds():
        new_plugin(kind, "night-market", tmp_path / kind)
    command = ["ruff", "format", "--check", "--config", REPO / "pyproject.toml", tmp_path]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert "@" not in path.read_text(encoding="utf-8"), path
        assert not path.name.endswith(".in")


@given(st.from_regex(new.NAME, fullmatch=True))
def test_every_name_makes_names_that_python_takes(name: str) -> None:
    words = new._words(name)
    for made in (words["CLASS"], words["PACKAGE"]):
        assert made.isidentifier()
        assert not keyword.iskeyword(made)


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UserError, match="README.md is there already"):
        new_plugin("cleaner", "night-market", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("cleaner", "Strip Dice", "Type: gristmill plugins new cleaner strip-dice"),
        ("cleaner", "../up", "Type: gristmill plugins new cleaner up"),
        ("cleaner", "-", "Type: gristmill plugins new cleaner strip-dice-rolls"),
        ("filter", "length", 'a filter "length" is installed already, from gristmill'),
        ("scrapper", "mine", 'Nearest: "scraper"'),
    ],
)
def test_new_says_what_to_type_instead(kind: str, name: str, said: str, tmp_path: Path) -> None:
    done = run("plugins", "new", kind, name, tmp_path / "made")
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "made").exists()


# ------------------------------------------------------------------------------------------------ test


CLEANER = '''\
from plugins.contracts import Cleaner

class Mine(Cleaner):
    """Strips."""
    name = "mine"
    often: int = 1
    def clean(self, text):
        return text
'''


def test_the_command_prints_a_table_says_what_to_change_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CLEANER)
    done = run("plugins", "test", tmp_path / "mine.py")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "cleaner mine: 12 checks, 1 failed"
    assert [line.split()[:2] for line in lines if "FAIL" in line] == [["FAIL", "documented"]]
    assert any(
        line.startswith('  to mend "documented": write a string below the option: often') for line in lines
    )
    (told,) = json.loads(run("plugins", "test", tmp_path / "mine.py", "--json").stdout)
    assert [one["check"] for one in told["checks"] if one["state"] == "fail"] == ["documented"]


def test_an_installed_plugin_is_tested_by_its_name_with_the_options_given() -> None:
    done = run("plugins", "test", "length", "--option", "min_words=3", "--option", "max_words = 2")
    assert done.exit_code == 1
    assert "FAIL  defaults make an instance" in done.stdout
    (subject,) = subjects("length", ["min_words=3", 'max_chars="x"', "min_chars=a b"])
    assert subject.options == {"min_words": 3, "max_chars": "x", "min_chars": "a b"}


def test_what_is_no_plugin_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match='Nearest: "whitespace"'):
        subjects("whitespac")
    with pytest.raises(UserError, match="is no plugin project"):
        subjects(str(tmp_path))
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(UserError, match="names no plugin"):
        subjects(str(tmp_path))
    with pytest.raises(UserError, match="is not KEY=VALUE"):
        subjects("length", ["min_words"])
    with pytest.raises(UserError, match="--option is for one plugin"):
        subjects(str(HEARTH), ["path=x"])


# ------------------------------------------------------------------------------------------------ a stranger's package

RECIPE = """\
name = "ferry"
{plugins}
[[source]]
use = "hearth"
path = "threads/*.html"

[[clean]]
use = "hearth-signatures"

[dedup]
fuzzy = false

[split]
val = 0
test = 0

[tokens]
model = "{model}"
max_tokens = 128
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip put gristmill-hearth into, without index, dependencies or build environment."""
    base = tmp_path_factory.mktemp("hearth")
    shutil.copytree(HEARTH, base / "project")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", base / "site", base / "project"],
        check=True,
        capture_output=True,
        cwd=base,
    )
    return base / "site"


def at_the_ferry(folder: Path, model: Path, plugins: str = "") -> Path:
    """A recipe beside Hearth's saved threads."""
    shutil.copytree(HEARTH / "sample" / "threads", folder / "threads")
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(model=model, plugins=plugins))
    return recipe


def test_an_installed_strangers_package_is_listed_tested_and_builds(
    installed: Path, tokenizer: Path, tmp_path: Path
) -> None:
    listed = start("plugins", "list", "scrapers", cwd=tmp_path, path=installed)
    lines = [line.split()[:3] for line in listed.stdout.splitlines()]
    assert ["scraper", "hearth", "gristmill-hearth"] in lines
    held = start("plugins", "test", "hearth-signatures", cwd=tmp_path, path=installed)
    assert held.returncode == 0, held.stdout + held.stderr
    recipe = at_the_ferry(tmp_path, tokenizer)
    done = start("build", recipe.name, "--workers", "2", "--json", cwd=tmp_path, path=installed)
    assert done.returncode == 0, done.stderr
    asked = "select text from documents order by text desc"
    told = start("sql", "ferry", asked, "--format", "json", cwd=tmp_path)
    first, second = (row["text"] for row in json.loads(told.stdout))
    assert first.startswith("Ada: The ferry did not leave this morning")
    assert "upper landing" not in first
    assert "Log in" not in first + second
    assert second.count("\n\n") == 1
    edits = start("sql", "ferry", "select step, before from edits", "--format", "csv", cwd=tmp_path)
    assert "0:hearth-signatures" in edits.stdout
    assert "Ada of the upper landing" in edits.stdout


def test_the_example_passes_its_own_tests_and_the_contract_uninstalled(tmp_path: Path) -> None:
    project = shutil.copytree(HEARTH, tmp_path / "hearth")
    done = start("plugins", "test", project, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("checks, 0 failed") == 2
    own = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", project]
    subprocess.run(
        own, env={**os.environ, "PYTHONPATH": str(REPO)}, cwd=tmp_path, check=True, capture_output=True
    )


def test_the_same_plugins_in_a_local_file_build_too_and_its_content_is_in_the_fingerprint(
    tokenizer: Path, tmp_path: Path
) -> None:
    """That an edited file is another plugin is tests/plugins/test_registry.py's; here the version shows it."""
    source = (HEARTH / "gristmill_hearth" / "__init__.py").read_text(encoding="utf-8")
    (tmp_path / "x.py").write_text(source, encoding="utf-8")
    recipe = at_the_ferry(tmp_path, tokenizer, 'plugins = ["./x.py"]')
    first = build_here(recipe)
    assert build_here(recipe).version.path == first.version.path
    (tmp_path / "x.py").write_text(source.replace(")}: {post", ")} says: {post"), encoding="utf-8")
    second = build_here(recipe)
    assert second.manifest.fingerprint != first.manifest.fingerprint
    texts = query(second.version, "select text from documents order by text desc")["text"].to_list()
    assert texts[0].startswith("Ada says: The ferry")
