"""The doctor finds what is wrong and says the line that mends it, also where half of everything is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpus import doctor, probes
from corpus.doctor import examine, report, requirements
from corpus.probes import run_probe
from corpus.shadows import HOME, PACKAGES, locate, shadows

CALL = "from corpus.cli import app; app(prog_name='gristmill')"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend other requirements, and try nothing out."""
    monkeypatch.setattr(doctor, "PROBES", {})

    def pretend(*lines: str) -> None:
        monkeypatch.setattr(doctor, "requires", lambda name: list(lines))

    return pretend


def test_a_missing_dependency_of_the_core_is_fatal_and_named_with_its_line(
    installed: Any, tmp_path: Path
) -> None:
    installed("no-such-thing>=1,<2", "polars>=2")
    findings = examine(tmp_path)
    (absent,) = [finding for finding in findings if finding.fatal]
    assert (absent.what, absent.state, absent.mend) == (
        "no-such-thing",
        "missing",
        "pip install 'no-such-thing>=1,<2'",
    )
    assert report(findings).endswith(
        "the core does not work. Mend it with:\n  pip install 'no-such-thing>=1,<2'"
    )


def test_a_version_out_of_bounds_is_broken(installed: Any, tmp_path: Path) -> None:
    installed("polars>=999")
    (wrong,) = [finding for finding in examine(tmp_path) if finding.state == "broken"]
    assert wrong.fatal
    assert wrong.detail.endswith("wanted >=999")
    assert wrong.mend == "pip install 'polars>=999'"


def test_a_missing_extra_is_not_fatal_and_mended_by_one_line(installed: Any, tmp_path: Path) -> None:
    installed(
        'no-torch; extra == "train"',
        'no-trl; extra == "train"',
        'no-ray; extra == "ray"',
        'no-pytest; extra == "dev"',
    )
    findings = examine(tmp_path)
    assert not any(finding.fatal for finding in findings)
    assert {finding.area for finding in findings if finding.state == "missing"} == {"train", "ray"}
    assert report(findings).count("pip install 'gristmill[train]'") == 1
    assert "the core works" in report(findings)


@pytest.mark.parametrize("have", ["2026.10.7", "2027.1.1"])
def test_an_unsloth_that_the_backend_refuses_is_broken_with_the_line_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, have: str
) -> None:
    from plugins.backends.unsloth import FITS

    monkeypatch.setattr(doctor, "PROBES", {})
    real = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: have if name == "unsloth" else real(name))
    (found,) = [finding for finding in examine(Path()) if finding.what == "unsloth"]
    assert (found.state, found.fatal) == ("broken", False)
    bounds = found.mend.removeprefix("pip install 'unsloth").removesuffix("'")
    assert sorted(bounds.split(",")) == sorted(FITS.split(","))


def test_what_an_extra_repeats_of_another_is_told_once() -> None:
    found = requirements([
        'torch; extra == "train"',
        'torch; extra == "unsloth"',
        'gristmill[train]; extra == "unsloth"',
        'unsloth; extra == "unsloth"',
    ])
    assert [(need.area, need.name) for need in found] == [("train", "torch"), ("unsloth", "unsloth")]


def test_our_packages_are_found_where_they_lie() -> None:
    assert shadows() == []
    assert [locate(name) for name in PACKAGES] == [HOME / name for name in PACKAGES]


def test_a_root_that_cannot_be_written_is_told_apart_from_one_that_can(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run_probe("root", tmp_path / "not" / "made" / "yet").works
    outcome = run_probe("root", tmp_path / "file")
    assert not outcome.works
    assert "NotADirectoryError" in outcome.detail
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_library_that_kills_its_process_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = subprocess.run

    def crash(line: list[str], **options: Any) -> Any:
        return real([sys.executable, "-c", "import os; os.abort()"], **options)

    monkeypatch.setattr(probes.subprocess, "run", crash)
    outcome = run_probe("duckdb", tmp_path)
    assert not outcome.works
    assert "signal 6" in outcome.detail


def test_the_doctor_answers_where_our_packages_are_shadowed(tmp_path: Path) -> None:
    for name in ("plugins", "schemas"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('a stranger')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-c", CALL, "doctor", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    broken = {row["what"]: row for row in json.loads(done.stdout) if row["state"] == "broken"}
    assert broken.keys() == {"plugins", "schemas"}
    assert str(tmp_path / "plugins") in broken["plugins"]["detail"]
    assert "PYTHONPATH" in broken["plugins"]["mend"]


@pytest.mark.slow
def test_everything_a_build_needs_works_here(tmp_path: Path) -> None:
    findings = examine(tmp_path)
    assert not [finding for finding in findings if finding.fatal]
    assert {finding.area for finding in findings} == {
        "python",
        "packages",
        "core",
        "train",
        "unsloth",
        "qlora",
        "ray",
        "works",
    }
    assert not list(tmp_path.iterdir())
