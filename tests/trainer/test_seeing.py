"""The journal, what follows it, the line and bar of a run, and its pictures."""

import io
import itertools
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer.seeing import journal as journals
from trainer.seeing.journal import METRICS, Journal, rate, read_rows
from trainer.seeing.plot import Story, _figure, _losses, draw, draw_together, smoothed
from trainer.seeing.progress import Progress


class Clock:
    """Time that passes when it is told."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(journals, "time", made)
    return made


def write(journal: Journal, clock: Clock, *, steps=6, every=3, first=0) -> None:
    """Steps of 2 s and 100 tokens, evaluations of 5 s."""
    for step in range(first, steps + 1):
        if step:
            clock.now += 2
            journal.add(
                "train", step, step / 4, 3.0 - step / 10, 100 * step, learning_rate=1e-3, grad_norm=0.5
            )
        if step % every == 0:
            clock.now += 5
            journal.add("val", step, step / 4, 3.5 - step / 10, 100 * step, accuracy=0.5)


def test_the_rate_of_a_step_leaves_evaluations_out_and_the_first_of_a_sitting_is_not_timed(tmp_path, clock):
    journal = Journal(tmp_path / "m")
    clock.now += 30
    journal.add("train", 1, 0.1, 3.0, 50)
    write(journal, clock, first=2)
    assert [row.get("tokens_per_second") for row in journal.of("train")] == [None, 75.0, *[50.0] * 4]
    assert rate(journal.rows) == pytest.approx(550 / 10)
    assert rate(journal.rows, last=3) == 50.0
    assert all(row["memory"] > 2**20 for row in journal.rows)


def test_a_journal_of_an_older_gristmill_is_taken_up(tmp_path, clock):
    old = [name for name in METRICS.names if name not in {"tokens_per_second", "memory"}]
    journal = Journal(tmp_path / "m")
    write(journal, clock)
    rows = [{name: row.get(name) for name in old} for row in journal.rows]
    pq.write_table(
        pa.Table.from_pylist(rows, pa.schema([METRICS.field(name) for name in old])), tmp_path / "m"
    )
    taken = Journal(tmp_path / "m")
    taken.take_up(4)
    assert [row["step"] for row in taken.of("train")] == [1, 2, 3, 4]
    write(taken, clock, first=5)
    taken.write()
    assert pq.read_schema(tmp_path / "m").names == METRICS.names
    assert [row["tokens_per_second"] for row in read_rows(tmp_path / "m") if row["kind"] == "train"][4:] == [
        None,
        50.0,
    ]


def test_what_a_newer_gristmill_wrote_beside_is_left_out(tmp_path, clock):
    journal = Journal(tmp_path / "m")
    write(journal, clock)
    journal.write()
    table = pq.read_table(tmp_path / "m")
    pq.write_table(table.append_column("mood", pa.array(["good"] * len(table))), tmp_path / "m")
    assert read_rows(tmp_path / "m") == [dict.fromkeys(METRICS.names) | row for row in journal.rows]


def test_followers_hear_each_row_once_and_none_again_on_taking_up(tmp_path, clock):
    journal, heard = Journal(tmp_path / "m"), []
    journal.follow(heard.append)
    write(journal, clock)
    assert heard == journal.rows
    journal.write()
    again, heard = Journal(tmp_path / "m"), []
    again.follow(heard.append)
    again.take_up(6)
    assert heard == []


def shown(clock, tmp_path, *, steps=9, upto=6, every=3) -> Progress:
    progress = Progress(steps, every=every)
    journal = Journal(tmp_path / "m")
    journal.follow(progress.see)
    write(journal, clock, steps=upto, every=every)
    return progress


def test_the_time_left_counts_the_evaluations_still_due(tmp_path, clock):
    assert shown(clock, tmp_path).left == pytest.approx(3 * 2 + 1 * 5)  # after step 9
    assert shown(clock, tmp_path, steps=10).left == pytest.approx(
        4 * 2 + 2 * 5
    )  # after 9, and after the last
    assert shown(clock, tmp_path, steps=6).left == 0.0


def test_a_line_has_step_losses_recent_rate_and_time_left(tmp_path, clock):
    assert (
        shown(clock, tmp_path).line() == "step 6/9  train loss 2.4000  val loss 2.9000  50 tok/s  0:11 left"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_bar_with_all_of_it_and_anything_else_plain_lines(tmp_path, clock, monkeypatch):
    for stream, bar in ((Terminal(), True), (io.StringIO(), False)):
        with monkeypatch.context() as patch:
            patch.setattr("sys.stderr", stream)
            patch.setenv("TERM", "xterm-256color")
            patch.setenv("COLUMNS", "100")
            with Progress(9, every=3) as progress:
                journal = Journal(tmp_path / "m")
                journal.follow(progress.see)
                write(journal, clock)
                progress.evaluating(1, 4)
                progress.say(progress.line())
        told = stream.getvalue()
        assert ("━" in told) == bar
        assert ("\x1b[" in told) == bar
        assert "step 6/9" in told
        assert ("evaluating 1/4" in told) == bar


def test_a_smoothed_line_is_no_lag_behind_its_start_and_keeps_the_level():
    assert smoothed([5.0] * 20) == [5.0] * 20
    line = smoothed([5.0 - n / 10 for n in range(20)])
    assert line[0] == 5.0
    assert all(a > b for a, b in itertools.pairwise(line))


def pictures(folder, rows, **more) -> set[str]:
    return {path.name for path in draw(Story("tale/1", rows, **more), folder)}


def test_pictures_are_drawn_of_what_there_is(tmp_path, clock):
    journal = Journal(tmp_path / "m")
    write(journal, clock, steps=30)
    every = {"losses.png", "learning_rate.png", "grad_norm.png"}
    assert (
        pictures(tmp_path, journal.rows, best_step=15, overfits_from=15, clip=1.0, note="why " * 60) == every
    )
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in every)
    assert pictures(tmp_path, list(journal.of("val"))) == {"losses.png"}
    assert pictures(tmp_path, []) == set()
    assert not list(tmp_path.glob(".*"))


def test_a_run_that_went_wild_is_drawn_too(tmp_path, clock):
    journal = Journal(tmp_path / "m")
    write(journal, clock, steps=12)
    for row, loss in zip(list(journal.of("train"))[-3:], (1e30, math.inf, math.nan), strict=True):
        row |= {"loss": loss, "grad_norm": loss}
    assert len(pictures(tmp_path, journal.rows, clip=1.0)) == 3
    draw_together({"tale/1": journal.rows, "tale/2": []}, tmp_path / "both.png", title="two", best="tale/1")
    assert (tmp_path / "both.png").is_file()


@pytest.mark.parametrize("losses", [[5.0], [5.0, 4.0], [6.9, 4.0, 3.99, 3.98]], ids=["one", "two", "four"])
def test_every_step_of_a_short_run_is_in_its_picture(losses):
    rows = [{"step": step, "kind": "train", "loss": loss} for step, loss in enumerate(losses, 1)]
    _, axes = _figure(height=4)
    assert _losses(axes, Story("tale/1", rows))
    low, high = axes.get_ylim()
    assert low <= min(losses) <= max(losses) <= high
    assert axes.lines[0].get_marker() == "."  # a line through one point is none
