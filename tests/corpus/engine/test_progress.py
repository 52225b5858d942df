"""Progress is talk: plain lines with counts and rate in a log, a bar on a terminal, nothing when quiet, and never on stdout."""

import os
import pty
import re
import subprocess
import sys

import pytest

from corpus.engine.progress import Progress


def test_a_log_gets_plain_lines_with_count_and_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress().meter("extract", 40, "pages") as meter:
        meter.advance(30)
        meter.advance(10)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"extract +40 pages in [\d.]+ s, [\d,.]+/s\n", err)


def test_long_work_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 12.0, 13.0, 20.0])
    monkeypatch.setattr("corpus.engine.progress.time.perf_counter", lambda: next(clock))
    with Progress().meter("extract", 1000, "pages") as meter:
        meter.advance(300)
        meter.advance(100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].split() == ["extract", "300", "of", "1,000", "pages,", "25.0/s,", "28", "s", "left"]


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(quiet=True)
    with progress.phase("extract"), progress.meter("extract", 2, "pages") as meter:
        meter.advance(2)
        progress.say("nothing")
    assert capsys.readouterr() == ("", "")
    assert progress.seconds["extract"] >= 0


def test_a_terminal_gets_a_bar_with_counts_and_rate() -> None:
    code = (
        "from corpus.engine.progress import Progress\n"
        "with Progress().meter('extract', 40, 'pages') as meter:\n    meter.advance(40)\n"
    )
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code],
        stderr=theirs,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
        check=True,
    )
    os.close(theirs)
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", os.read(ours, 65536).decode())
    os.close(ours)
    assert done.stdout == b""
    assert "40/40" in shown
    assert re.search(r"[1-9][\d,.]*/s", shown)
