"""The command line as a user meets it: what it prints where, and what it ends with."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import typer
from builds import write_recipe, write_site
from typer.testing import CliRunner

from corpus.cli import app
from corpus.commands import group
from corpus.commands.guard import guarded
from corpus.commands.prompt import prompt
from corpus.pipeline import Build
from schemas.errors import UserError
from schemas.manifest import MANIFEST

HEAVY = ("polars", "pyarrow", "duckdb", "numpy", "torch")
CALL = "import sys; from corpus.cli import app; app(prog_name='gristmill')"


def run(*arguments: str | Path, text: str | None = None) -> Any:
    """A command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)


def start(
    *arguments: str, code: str = CALL, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def root(built: Build) -> Path:
    """The root of a small published corpus; not to be written to."""
    return built.version.path.parent.parent.parent


# ------------------------------------------------------------------------------------------------ starting


def test_help_loads_nothing_heavy() -> None:
    seen = f"{CALL.replace('app(', 'app(standalone_mode=False, ')}; print([n for n in {HEAVY} if n in sys.modules])"
    done = start("--help", code=seen)
    assert done.returncode == 0, done.stderr
    assert "build" in done.stdout
    assert "train" in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_help_of_every_command_shows_an_example() -> None:
    for name in (
        "build",
        "sql",
        "versions",
        "verify",
        "plugins",
        "models",
        "init",
        "schema",
        "doctor",
        "demo",
    ):
        shown = run(name, "--help")
        assert shown.exit_code == 0
        assert f"Example: gristmill {name}" in " ".join(shown.stdout.split())


def test_version_names_the_distribution() -> None:
    assert run("--version").stdout.startswith("gristmill 0.")


def test_completion_offers_commands() -> None:
    done = start(_GRISTMILL_COMPLETE="complete_bash", COMP_WORDS="gristmill ver", COMP_CWORD="1")
    assert done.stdout.split() == ["versions", "verify"]


@pytest.mark.parametrize("name", ["plugins", "schemas"])
def test_a_shadowed_package_stops_the_start_and_names_the_path(tmp_path: Path, name: str) -> None:
    stranger = tmp_path / name
    stranger.mkdir()
    (stranger / "__init__.py").write_text("raise ImportError('a stranger')", encoding="utf-8")
    done = start("plugins", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert str(stranger) in done.stderr
    assert "PYTHONPATH" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_the_same_name_that_is_no_package_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    assert start("--version", PYTHONPATH=str(tmp_path)).returncode == 0


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["biuld"], "Did you mean 'build'"),
        (["trian", "recipe.toml"], "Did you mean 'train'"),
        (["build", "recipe.toml", "--worker", "2"], "--workers"),
        (["build"], "RECIPE"),
        (["build", "recipe.toml", "--workers", "0"], "--workers"),
        (["sql", "tales", "select 1", "--format", "yaml"], "--format"),
    ],
)
def test_a_misspelt_command_line_ends_with_2_and_says_what_was_meant(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr


def test_an_unknown_corpus_names_the_nearest(root: Path) -> None:
    done = run("sql", "tale", "select 1", "--root", root)
    assert done.exit_code == 2
    assert 'no corpus named "tale"' in done.stderr
    assert 'Nearest: "tales"' in done.stderr


@pytest.mark.parametrize(
    "statement", ["selct 1", "select nothing from fates", "drop table fates", "select 1; select 2", ""]
)
def test_bad_sql_is_the_users_to_mend(root: Path, statement: str) -> None:
    done = run("sql", "tales", statement, "--root", root)
    assert done.exit_code == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_recipes_faults_are_told_together_with_the_nearest_match(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'name = "a"\n[[source]]\nuse = "files"\npath = "*.txt"\n[[clean]]\nuse = "unicod"\n'
        '[[filter]]\nuse = "language"\nmin_score = 65\n[split]\nvall = 0.1\n',
        encoding="utf-8",
    )
    done = run("build", recipe, "--root", tmp_path)
    assert done.exit_code == 2
    assert done.stderr.startswith("recipe.toml: 3 faults\n")
    assert '"unicod" is not a cleaner. Nearest: "unicode".' in done.stderr
    assert "Did you mean 0.65?" in done.stderr
    assert "split.vall" in done.stderr
    assert 'Nearest: "val".' in done.stderr
    assert not (tmp_path / "corpora").exists()


def test_a_recipe_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    done = run("build", tmp_path / "recipe.toml")
    assert done.exit_code == 2
    assert "gristmill init" in done.stderr


def test_an_unknown_kind_of_plugin_lists_the_kinds() -> None:
    done = run("plugins", "cleanerz")
    assert done.exit_code == 2
    assert 'Nearest: "cleaner"' in done.stderr
    assert "scrapers, extractors, cleaners" in done.stderr


def test_a_model_that_cannot_be_known_is_refused_before_any_network(tmp_path: Path) -> None:
    done = run("models", "pull", "smollm2-135", "--root", tmp_path)
    assert done.exit_code == 2
    assert 'Nearest: "smollm2-135m"' in done.stderr


# ------------------------------------------------------------------------------------------------ how it ends


def single(body: Callable[[], None]) -> Any:
    """Run `body` as a command of its own."""
    alone = typer.Typer()
    alone.command()(guarded(body))
    return lambda *arguments: CliRunner().invoke(alone, list(arguments))


def test_what_was_not_foreseen_is_one_line_and_a_traceback_only_on_demand() -> None:
    def body() -> None:
        raise RuntimeError("the mill\nis broken")

    done = single(body)()
    assert done.exit_code == 1
    assert done.stderr.startswith("RuntimeError: the mill\n")
    assert "--debug" in done.stderr
    assert "Traceback" not in done.stderr
    again = single(body)("--debug")
    assert again.exit_code == 1
    assert "Traceback" in again.stderr
    assert "is broken" in again.stderr


def test_ctrl_c_ends_with_130() -> None:
    def body() -> None:
        signal.raise_signal(signal.SIGINT)

    done = single(body)()
    assert done.exit_code == 130
    assert "interrupted" in done.stderr


def test_sigterm_unwinds_and_ends_with_143() -> None:
    unwound = []

    def body() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            unwound.append(True)

    before = signal.getsignal(signal.SIGTERM)
    done = single(body)()
    assert done.exit_code == 143
    assert unwound
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_forked_worker_dies_of_sigterm_as_it_would_have() -> None:
    code = """
import os, signal, typer
from corpus.commands.guard import guarded
def body():
    child = os.fork()
    if child == 0:
        signal.raise_signal(signal.SIGTERM)
        os._exit(0)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM)
app = typer.Typer(); app.command()(guarded(body)); app()
"""
    assert start(code=code).stdout.strip() == "True"


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", CALL, "schema"],
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_workers_broken_pipe_is_a_failure() -> None:
    def body() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    assert single(body)().exit_code == 1


# ------------------------------------------------------------------------------------------------ what it prints


@pytest.fixture
def small(tmp_path: Path, tokenizer: Path) -> Path:
    """A recipe of few pages, to be built."""
    write_site(tmp_path / "site", pages=8)
    return write_recipe(tmp_path, tokenizer)


def test_build_tells_people_what_became_of_the_pages_and_programs_one_line(small: Path) -> None:
    root = small.parent
    told = run("build", small, "--root", root, "--workers", "1")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith("tales@1 in ")
    for part in (
        "kept",
        "length:min_words",
        "train",
        "tokens",
        "gristmill sql tales@1",
        f"gristmill train {small} --root {root}",
    ):
        assert part in told.stdout
    again = run("build", small, "--root", root, "--workers", "1", "--json", "--quiet")
    line = json.loads(again.stdout)
    assert (line["version"], line["new"]) == ("tales@1", False)
    assert line.keys() >= {"fingerprint", "pages", "documents", "chunks", "tokens", "path", "seconds"}
    assert again.stderr == ""
    assert "already is tales@1" in run("build", small, "--root", root, "--workers", "1").stdout


def test_verify_says_whole_until_a_byte_is_flipped(built: Build, tmp_path: Path) -> None:
    folder = tmp_path / "corpora" / "tales" / "v1"
    shutil.copytree(built.version.path, folder)
    assert run("verify", "tales", "--root", tmp_path).exit_code == 0
    victim = next((folder / "fates").glob("*.parquet"))
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(data)
    done = run("verify", "tales@1", "--root", tmp_path, "--json")
    assert done.exit_code == 4
    assert f"fates/{victim.name}" in done.stderr
    assert json.loads(done.stdout)["whole"] is False
    (folder / MANIFEST).chmod(0o644)
    (folder / MANIFEST).write_text("{}", encoding="utf-8")
    assert run("verify", "tales@1", "--root", tmp_path).exit_code == 4


def test_versions_are_listed_for_people_and_programs(root: Path, tmp_path: Path, built: Build) -> None:
    assert run("versions", "--root", root).stdout.startswith("tales@1 ")
    (listed,) = json.loads(run("versions", "tales", "--root", root, "--json").stdout)
    assert (listed["version"], listed["fingerprint"]) == ("tales@1", built.manifest.fingerprint)
    empty = run("versions", "--root", tmp_path)
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "gristmill build" in empty.stderr


def test_sql_answers_from_an_argument_and_from_stdin_in_every_format(root: Path, built: Build) -> None:
    statement = "select count(*) as n from documents"
    count = built.manifest.counts["documents"]
    assert run("sql", "tales", statement, "--root", root, "--format", "csv").stdout == f"n\n{count}\n"
    assert json.loads(run("sql", "tales@1", "--root", root, "--format", "json", text=statement).stdout) == [
        {"n": count}
    ]
    assert str(count) in run("sql", "tales", statement, "--root", root).stdout


def test_the_prompt_goes_on_after_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed: Iterator[str] = iter(["wrong;", "right", ";", ";", "exit"])
    monkeypatch.setattr("builtins.input", lambda mark: next(typed))
    asked = []

    def answer(statement: str) -> None:
        asked.append(statement)
        if statement == "wrong":
            raise UserError("that is wrong")

    prompt("tales@1", answer)
    assert asked == ["wrong", "right"]
    assert "that is wrong" in capsys.readouterr().err


def test_plugins_are_listed_with_their_options_on_demand() -> None:
    assert "whitespace" in run("plugins").stdout
    assert "min_score" not in run("plugins").stdout
    assert "min_score" in run("plugins", "filters").stdout
    rows = json.loads(run("plugins", "filter", "--json").stdout)
    assert {row["name"]: row["options"] for row in rows}["language"]["min_score"]["default"] == 0.65


def test_models_say_what_can_be_fetched(tmp_path: Path, tokenizer: Path) -> None:
    shutil.copytree(tokenizer, tmp_path / ".gristmill" / "models" / "tiny")
    told = run("models", "--root", tmp_path).stdout
    assert "tokenizer only" in told
    assert "gristmill models pull smollm2-135m" in told
    rows = {row["name"]: row for row in json.loads(run("models", "--root", tmp_path, "--json").stdout)}
    assert rows["tiny"]["weights"] is False
    assert rows["smollm2-135m"]["path"] is None


def test_a_root_may_stand_before_or_after_pull(tmp_path: Path, tokenizer: Path) -> None:
    shutil.copytree(tokenizer, tmp_path / ".gristmill" / "models" / "smollm2-135m")
    for arguments in (
        ["--root", tmp_path, "pull", "smollm2-135m"],
        ["pull", "smollm2-135m", "--root", tmp_path],
    ):
        done = run("models", *arguments, "--tokenizer")
        assert done.stdout.strip() == str(tmp_path / ".gristmill" / "models" / "smollm2-135m")


def test_init_and_schema_print_a_path_and_a_schema(tmp_path: Path) -> None:
    made = run("init", "docs", tmp_path / "new")
    assert made.stdout.strip() == str(tmp_path / "new" / "recipe.toml")
    assert "gristmill build" in made.stderr
    printed = run("schema").stdout
    run("schema", tmp_path / "schema.json")
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == printed


# ------------------------------------------------------------------------------------------------ mounted commands


def test_a_mounted_command_that_cannot_be_imported_says_so_and_harms_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = EntryPoint("blame", "no_such_package.cli:blame", group.GROUP)
    monkeypatch.setattr(group, "mounted", lambda: {"blame": broken})
    assert "no_such_package" in " ".join(run("--help").stdout.split())
    done = run("blame")
    assert done.exit_code == 2
    assert "gristmill blame" in done.stderr
    assert "no_such_package" in done.stderr
    assert run("--version").exit_code == 0


def test_a_mounted_command_ends_as_ours_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def blame(page: str) -> None:
        """Say who."""
        raise UserError(f"nobody is to blame for {page}")

    point = EntryPoint("blame", "tests:blame", group.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: blame)
    monkeypatch.setattr(group, "mounted", lambda: {"blame": point})
    done = run("blame", "p1")
    assert done.exit_code == 2
    assert done.stderr.strip() == "nobody is to blame for p1"
    assert "--debug" in run("blame", "--help").stdout
