"""docs/writing-plugins.md: every block of it works as written, and its table names every check."""

import doctest
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.commands.plugins.case import Case
from corpus.commands.plugins.checks import BY_KIND, COMMON, MAKERS, checks
from corpus.commands.plugins.contract import AFRESH
from corpus.commands.plugins.outcomes import Outcome
from corpus.commands.plugins.probe import outcome
from corpus.commands.plugins.subjects import Subject
from corpus.commands.plugins.texts import BAD_BYTES, BAD_PAGES
from plugins.entries import local_entries
from plugins.registry import load_recipe

REPO = Path(__file__).resolve().parents[2]
TEXT = (REPO / "docs" / "writing-plugins.md").read_text(encoding="utf-8")
SAVED = REPO / "tests" / "third_party" / "gristmill-hearth" / "sample" / "threads"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
TOML = [code for language, code in BLOCKS if language == "toml"]
COMMANDS = [line for language, code in BLOCKS if not language for line in code.splitlines()]
SITE, DIARY, BETTER, CLEANER, FILTER, OPTIMIZER, CALLBACK = PYTHON


def held(file: Path, code: str, **options: Any) -> dict[str, Outcome]:
    """Every check of the one plugin in a block."""
    file.write_text(code, encoding="utf-8")
    (entry,) = local_entries(file)
    case = Case(Subject(entry.kind, entry.name, str(file.parent), options, str(file)))
    return {name: outcome(name, check, case) for name, check in checks(entry.kind)}


def states(outcomes: dict[str, Outcome]) -> set[str]:
    return {one.state for one in outcomes.values()}


def test_the_scraper_has_ten_lines_and_reads_saved_pages(tmp_path: Path) -> None:
    assert len(SITE[SITE.index("class ") :].strip().splitlines()) == 11, "ten lines, one of them empty"
    shutil.copytree(SAVED, tmp_path / "saved")
    outcomes = held(tmp_path / "sites.py", SITE, path="saved/*.html")
    assert states(outcomes) == {"pass"}, outcomes
    (entry,) = local_entries(tmp_path / "sites.py")
    thread = (SAVED / "fog-2.html").read_text(encoding="utf-8")
    assert entry.load()(path="*").parse(thread).text.startswith("Ada: The bell rings")  # type: ignore[attr-defined]


def test_the_diary_lacks_what_the_text_says_it_lacks_and_then_no_more(tmp_path: Path) -> None:
    (tmp_path / "diary.json").write_text(
        json.dumps([{"day": "2026-03-03", "text": "Fog."}]), encoding="utf-8"
    )
    outcomes = held(tmp_path / "diary.py", DIARY)
    (name,) = [name for name, one in outcomes.items() if one.state == "fail"]
    assert f"  FAIL  {name}" in COMMANDS
    better = DIARY[: DIARY.index("    def fetch")] + BETTER
    assert states(held(tmp_path / "better.py", better)) == {"pass", "skip"}


def test_the_cleaner_does_what_its_docstring_says_and_needs_its_loop(tmp_path: Path) -> None:
    assert states(held(tmp_path / "cleaners.py", CLEANER)) == {"pass"}
    (entry,) = local_entries(tmp_path / "cleaners.py")
    cleaner = entry.load()
    (test,) = doctest.DocTestFinder().find(cleaner, globs={cleaner.__name__: cleaner})
    assert doctest.DocTestRunner().run(test) == (0, 1)
    once = CLEANER.replace("limit: int = 100", "limit: int = 1")
    assert held(tmp_path / "once.py", once)["idempotent"].seen.startswith("'[[2d6: 3]2d6: 3]' becomes")
    assert "`[[2d6: 3]2d6: 3]` leaves a roll behind" in TEXT


def test_the_filter_keeps_the_contract(tmp_path: Path) -> None:
    assert states(held(tmp_path / "filters.py", FILTER)) == {"pass"}


def test_the_optimiser_steps_by_signs_and_keeps_the_contract(tmp_path: Path) -> None:
    assert states(held(tmp_path / "lion.py", OPTIMIZER)) == {"pass"}
    torch = pytest.importorskip("torch")
    (entry,) = local_entries(tmp_path / "lion.py")
    weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    lion = entry.load()().make([{"params": [weights]}], learning_rate=0.1, weight_decay=0.5)  # type: ignore[attr-defined]
    weights.grad = torch.tensor([3.0, -0.1])
    lion.step()
    assert weights.tolist() == pytest.approx([1 - 0.05 - 0.1, -2 + 0.1 + 0.1])
    assert lion.state_dict()["state"][0]["mean"].tolist() == pytest.approx([0.3, -0.01])


def test_the_callback_ends_a_calm_run_and_keeps_the_contract(tmp_path: Path) -> None:
    assert states(held(tmp_path / "calm.py", CALLBACK)) == {"pass"}
    (entry,) = local_entries(tmp_path / "calm.py")
    calm = entry.load()(steps=2)
    told = [calm.step({"grad_norm": norm}) for norm in (0.001, 1.0, 0.001, 0.001)]  # type: ignore[attr-defined]
    assert told == [None, None, None, "2 gradients below 0.01"]


def test_the_recipe_names_all_three(tmp_path: Path) -> None:
    for name, code in (("sites", SITE), ("cleaners", CLEANER), ("filters", FILTER)):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(TOML[0], encoding="utf-8")
    found = load_recipe(tmp_path / "recipe.toml")
    assert [spec.use for spec in (*found.scrapers, *found.cleaners, *found.filters)] == [
        "hearth",
        "strip-rolls",
        "shouting",
    ]


@pytest.mark.parametrize("kind", ["scraper", "cleaner", "filter"])
def test_what_new_writes_is_what_is_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = next(line for line in COMMANDS if line.startswith("gristmill plugins new"))
    words = told.replace("cleaner", kind).split()[1:]
    assert CliRunner().invoke(app, words).exit_code == 0
    readme = (tmp_path / "gristmill-strip-rolls" / "README.md").read_text(encoding="utf-8")
    lines = re.search(r"```\n(pip.*?)```", TEXT, flags=re.DOTALL)
    assert lines
    assert lines[1] in readme
    project = tomllib.loads(
        (tmp_path / "gristmill-strip-rolls" / "pyproject.toml").read_text(encoding="utf-8")
    )
    assert project["project"]["entry-points"][f"gristmill.{kind}s"] == {
        "strip-rolls": "gristmill_strip_rolls:StripRolls"
    }
    assert tomllib.loads(TOML[1])["project"]["entry-points"] == {
        "gristmill.cleaners": {"strip-rolls": "gristmill_strip_rolls:StripRolls"}
    }


def test_the_commands_told_are_commands() -> None:
    for line in COMMANDS:
        if line.startswith("gristmill "):
            done = CliRunner().invoke(app, [*line.split()[1:3], "--help"])
            assert done.exit_code == 0, line
            for option in re.findall(r"--\w+", line):
                assert option in done.stdout


def test_the_table_names_every_check_and_whom_it_is_for() -> None:
    told = dict(re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", TEXT, flags=re.MULTILINE))
    del told["check"]
    expected = {name: "all" for name, _ in COMMON}
    for kind, own in BY_KIND.items():
        for name, _ in own:
            expected[name] = ", ".join(filter(None, [expected.get(name), f"{kind}s"]))
    assert MAKERS.keys() == BY_KIND.keys(), "the others are formats and what trains"
    expected[AFRESH] = "all but formats, backends, optimizers and callbacks"
    assert told == expected
    assert f"spoilt in {len(BAD_BYTES) + len(BAD_PAGES)} ways" in TEXT
