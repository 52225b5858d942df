import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.engine import sandbox as module
from corpus.engine.sandbox import Limits, Outcome, Sandbox, close_kept, sandbox
from schemas.errors import TaskFailed

HOSTILE = f"{Path(__file__).with_name('hostile_calls.py')}:misbehave"
LIMITS = Limits(5, 512)
REPO = Path(__file__).resolve().parents[3]


@pytest.fixture
def child():
    with Sandbox(HOSTILE, {"a": 1}, Limits(cpu_seconds=1, memory_mib=512)) as made:
        yield made


def test_outcomes_come_in_the_order_of_the_items(child):
    items = [str(number) for number in range(50)]
    assert [outcome.value for outcome in child.run(items)] == [[{"a": 1}, item] for item in items]


def test_items_that_crash_the_child_cost_themselves_and_nothing_else(child):
    items = ["one", "segfault", "two", "raise", "three", "die", "exit", "lambda", "four", "memory", "five"]
    found = dict(zip(items, child.run(items), strict=True))
    for whole in ("one", "two", "three", "four", "five"):
        assert found[whole] == Outcome([{"a": 1}, whole], retried=found[whole].retried)
    assert found["segfault"] == Outcome(error="crashed", detail="SIGSEGV", retried=True)
    assert found["die"] == Outcome(error="crashed", detail="exit code 7", retried=True)
    assert found["raise"] == Outcome(error="failed", detail="ValueError: no such thing")
    assert found["exit"] == Outcome(error="failed", detail="SystemExit: 3")
    assert found["memory"] == Outcome(error="memory", detail="more than 2048 MiB", retried=True)
    assert found["lambda"].error == "failed"


def test_a_loop_ends_at_its_cpu_limit_even_in_c(child):
    first, second = child.run(["loop in C", "after"])
    assert first == Outcome(error="timeout", detail="more than 4 CPU seconds", retried=True)
    assert second.value == [{"a": 1}, "after"]


def test_an_item_that_needs_more_than_the_limit_but_less_than_four_times_passes_at_its_second_try(child):
    slow, quick = child.run([2.5, "quick"])
    assert slow == Outcome(2.5, retried=True)
    assert quick.value == [{"a": 1}, "quick"]


def test_cpu_seconds_are_counted_for_each_item_alone(child):
    assert [outcome.retried for outcome in child.run([0.7] * 4)] == [False] * 4


def test_what_sleeps_ends_at_the_wall_limit(child, monkeypatch):
    monkeypatch.setattr(module, "WALL_FACTOR", 0)
    monkeypatch.setattr(module, "WALL_SECONDS", 1)
    first, second = child.run(["sleep", "after"])
    assert (first.error, first.detail, first.retried) == ("timeout", "slept past 1 s", True)
    assert second.value == [{"a": 1}, "after"]


def test_a_sandbox_left_early_is_usable_again(child):
    outcomes = child.run(["one", "loop", "two"])
    assert next(outcomes).value == [{"a": 1}, "one"]
    outcomes.close()
    assert [outcome.value for outcome in child.run(["three"])] == [[{"a": 1}, "three"]]


def test_a_child_killed_between_two_runs_is_replaced(child):
    (first,) = child.run(["pid"])
    with open_pid(first.value) as alive:
        os.kill(first.value, signal.SIGKILL)
        alive.wait()
    (second,) = child.run(["pid"])
    assert second.value != first.value


def test_a_function_that_is_not_there_fails_the_task_and_not_the_page():
    with (
        Sandbox("corpus.engine.nowhere:f", None, Limits(1, 512)) as broken,
        pytest.raises(TaskFailed, match=r"corpus\.engine\.nowhere"),
    ):
        list(broken.run([1]))


def test_the_kept_sandbox_keeps_its_child_until_another_call_is_asked_for():
    try:
        (first,) = sandbox(HOSTILE, 1, LIMITS).run(["pid"])
        (second,) = sandbox(HOSTILE, 1, LIMITS).run(["pid"])
        assert first.value == second.value
        (third,) = sandbox(HOSTILE, 2, LIMITS).run(["pid"])
        assert third.value != first.value
        assert not exists(first.value)
    finally:
        close_kept()


SCRIPT = """
import sys
from corpus.engine.sandbox import Limits, sandbox

print("main runs", flush=True)
outcomes = sandbox({function!r}, None, Limits(60, 512)).run(["pid", "main", *{more!r}])
print(next(outcomes).value, flush=True)
print(next(outcomes).value, flush=True)
for outcome in outcomes:
    print(outcome, flush=True)
"""


@pytest.mark.parametrize("last", ["sleep", "loop in C"])
def test_the_child_dies_with_a_parent_that_is_killed(tmp_path, last):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(function=HOSTILE, more=[last]), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, script], cwd=REPO, env=environment(), stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout.readline() == "main runs\n"
        child = int(parent.stdout.readline())
        with open_pid(child) as alive:
            parent.send_signal(signal.SIGKILL)
            alive.wait()


def test_a_script_without_a_main_guard_is_not_run_again_in_the_child(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(function=HOSTILE, more=[]), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, script],
        cwd=REPO,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert lines.count("main runs") == 1
    assert lines[2] != str(script)
    assert result.stderr == ""
    assert not exists(int(lines[1]))


def environment():
    return {**os.environ, "PYTHONPATH": str(REPO)}


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class open_pid:  # noqa: N801  used like open()
    """A process that can be waited for, though it is not our child."""

    def __init__(self, pid):
        self.descriptor = os.pidfd_open(pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)

    def wait(self, seconds=20):
        assert select.select([self.descriptor], [], [], seconds)[0], "still alive"
