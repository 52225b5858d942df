"""Callbacks are told what the journal is told, may end a run, and cannot break one."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import trainer
from plugins.registry import load_recipe
from trainer.watching.callbacks import Callbacks

FILE = '''
import json
from pathlib import Path
from pydantic import PrivateAttr
from plugins.contracts import Callback

class Diary(Callback):
    """Writes down what it is told."""
    name = "diary"
    file: str = "diary.jsonl"
    """Where."""
    end_at: int = 0
    """The step after which it has had enough."""
    _folder: str = PrivateAttr("")

    def begin(self, run):
        self._folder = run["folder"]
        self._write("begin", {**run, "rows": len(run["rows"])})
    def step(self, row):
        self._write("step", row)
        row["loss"] = "spoilt"
        return "had enough" if row["step"] == self.end_at else None
    def evaluate(self, row):
        self._write("evaluate", row)
    def end(self, run):
        self._write("end", {**run, "rows": len(run["rows"])})
    def _write(self, event, told):
        with Path(self._folder, self.file).open("a") as file:
            print(json.dumps({"event": event, **told}), file=file)

class Broken(Callback):
    """Fails at everything."""
    name = "broken"
    def begin(self, run):
        raise RuntimeError("no begin")
    def step(self, row):
        raise SystemExit(3)
    def evaluate(self, row):
        return 17
    def end(self, run):
        raise KeyError("end")
'''
ROW = {"step": 1, "epoch": 0.1, "kind": "train", "loss": 2.5, "tokens": 40, "seconds": 0.1}


def callbacks(folder: Path, *tables: str, said: list[str] | None = None) -> Callbacks:
    (folder / "mine.py").write_text(FILE)
    steps = "".join(f"[[train.callback]]\n{table}\n" for table in tables)
    recipe = folder / "recipe.toml"
    recipe.write_text(f'name = "a"\nplugins = ["mine.py"]\n[[source]]\nuse = "files"\npath = "*"\n{steps}')
    heard = said if said is not None else []
    return Callbacks(load_recipe(recipe).callbacks, say=heard.append)


def diary(folder: Path) -> list[dict]:
    import json

    return [json.loads(line) for line in (folder / "diary.jsonl").read_text().splitlines()]


def test_every_callback_is_told_even_where_an_earlier_one_wants_the_end(tmp_path):
    told = callbacks(tmp_path, 'use = "diary"\nend_at = 1', 'use = "diary"\nfile = "other.jsonl"')
    assert told.begin("a/1", tmp_path, steps=9) is None
    row = dict(ROW)
    assert told.step(row) == 'callback "diary": had enough'
    assert row == ROW, "a callback has a copy, and cannot write into the journal"
    for name in ("diary.jsonl", "other.jsonl"):
        assert [line.split('"')[3] for line in (tmp_path / name).read_text().splitlines()] == [
            "begin",
            "step",
        ]


def test_a_run_that_goes_on_tells_where_and_what_was_before(tmp_path):
    told = callbacks(tmp_path, 'use = "diary"')
    told.begin("a/1", tmp_path, steps=9, step=1, rows=[ROW])
    told.end(9, "all 9 steps are done", [ROW, ROW])
    begin, end = diary(tmp_path)
    assert (begin["run"], begin["steps"], begin["step"], begin["rows"]) == ("a/1", 9, 1, 1)
    assert (end["step"], end["reason"], end["rows"]) == (9, "all 9 steps are done", 2)


def test_what_a_callback_raises_is_said_once_and_kept_and_the_others_go_on(tmp_path):
    said: list[str] = []
    told = callbacks(tmp_path, 'use = "broken"', 'use = "diary"', said=said)
    told.begin("a/1", tmp_path, steps=9)
    for _ in range(3):
        assert told.step(ROW) is None
    assert told.evaluate(ROW) is None
    told.end(3, "done")
    assert told.faults == {"broken": "begin raised RuntimeError: no begin"}
    assert len(said) == 1
    assert "broken" in said[0]
    assert len(diary(tmp_path)) == 6


def test_what_is_no_reason_is_a_fault_and_ends_nothing(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    told = callbacks(tmp_path, 'use = "broken"')
    told.evaluate(ROW)
    assert "evaluate returned 17; it may return a reason" in told.faults["broken"]


def test_ctrl_c_in_a_callback_is_the_users(tmp_path):
    told = callbacks(tmp_path, 'use = "diary"')

    def interrupted(_told):
        raise KeyboardInterrupt

    told._called[:] = [("x", SimpleNamespace(step=interrupted))]
    with pytest.raises(KeyboardInterrupt):
        told.step(ROW)


def test_a_file_that_appears_ends_the_run(tmp_path):
    told = callbacks(tmp_path, 'use = "stop-file"')
    assert told.begin("a/1", tmp_path, steps=9) is None
    assert told.step(ROW) is None
    (tmp_path / "STOP").touch()
    assert told.step(ROW) == f'callback "stop-file": {tmp_path / "STOP"} appeared'


@pytest.mark.parametrize(
    ("table", "method", "row", "ends"),
    [
        ("value = 2", "evaluate", {"loss": 2.0}, True),
        ("value = 2", "evaluate", {"loss": 2.1}, False),
        ("value = 2", "step", {"loss": 0.1}, False),
        ('value = 2\nmetric = "train_loss"', "step", {"loss": 1.9}, True),
        ('value = 2\nmetric = "train_loss"', "evaluate", {"loss": 1.9}, False),
        ('value = 0.5\nmetric = "val_accuracy"', "evaluate", {"loss": 0.1, "accuracy": 0.4}, False),
        ('value = 0.5\nmetric = "val_accuracy"', "evaluate", {"loss": 9.0, "accuracy": 0.6}, True),
        ("value = 2", "evaluate", {"loss": float("nan")}, False),
    ],
)
def test_a_target_that_is_reached_ends_the_run(tmp_path, table, method, row, ends):
    told = callbacks(tmp_path, f'use = "target"\n{table}')
    reason = getattr(told, method)({**ROW, **row})
    assert (reason is not None) == ends
    assert not told.faults


def test_a_run_tells_its_callbacks_what_its_journal_says_and_ends_where_one_asks(made):
    root, recipe = made("max_steps = 6\neval_every = 2")
    (root / "mine.py").write_text(FILE)
    text = recipe.read_text().replace("[[source]]", 'plugins = ["mine.py"]\n[[source]]', 1)
    called = '[[train.callback]]\nuse = "diary"\nend_at = 3\n[[train.callback]]\nuse = "broken"\n'
    recipe.write_text(text + called)
    run = trainer.train(recipe, root=root, quiet=True)
    written = diary(run.path)
    assert [(told["event"], told["step"]) for told in written] == [
        ("begin", 0), ("evaluate", 0), ("step", 1), ("step", 2), ("evaluate", 2), ("step", 3), ("evaluate", 3), ("end", 3),
    ]  # fmt: skip
    journal = run.metrics().to_pylist()
    for told in written[1:-1]:
        kind = {"step": "train", "evaluate": "val"}[told.pop("event")]
        assert told in [{key: row[key] for key in told} for row in journal if row["kind"] == kind]
    assert 'callback "diary": had enough' in run.record.outcome.stop_reason
    assert (run.path / "adapter" / "adapter_model.safetensors").is_file()
