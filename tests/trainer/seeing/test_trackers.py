"""What is sent where, by fakes with the shape of the real modules: wandb 0.31, trackio 0.43 and tensorboard 2.21 were tried by hand."""

import math
import socket
import sys
import types

import pytest

from schemas.errors import MissingExtra, UserError
from trainer.seeing import trackers
from trainer.seeing.trackers import Trackers, check

TRAIN = {"kind": "train", "step": 1, "loss": 2.0, "learning_rate": 1e-3, "grad_norm": math.nan, "accuracy": None, "tokens": 10, "seconds": 1.0}  # fmt: skip
VAL = {"kind": "val", "step": 1, "loss": 2.5, "accuracy": 0.5, "tokens": 10, "seconds": 2.0}


def fake(monkeypatch, name: str, **members) -> types.ModuleType:
    """Put a module where an import finds it."""
    module = types.ModuleType(name)
    module.__dict__.update(members)
    monkeypatch.setitem(sys.modules, name, module)
    return module


class Wandb:
    """wandb as far as it is used; keeps what it was told."""

    def __init__(self, *, mode="online", account=True, url="http://127.0.0.1:9"):
        self.told, self.rows, self.finished, self.account = {}, [], False, account
        self.settings = types.SimpleNamespace(mode=mode, base_url=url)
        self.dir, self.url = "/runs/tale/1/wandb/offline-run-1/files", "http://wandb/tale/1"

    def init(self, **more):
        print("wandb says hello")
        self.told = more
        return self

    def setup(self):
        return self

    def login(self, prompt=True):
        assert not prompt
        return self.account

    def log(self, values, step):
        self.rows.append((step, values))

    def finish(self):
        self.finished = True


@pytest.fixture
def wandb(monkeypatch):
    def use(**more) -> Wandb:
        made = Wandb(**more)
        fake(monkeypatch, "wandb", init=made.init, setup=made.setup, login=made.login)
        return made

    for name in ("WANDB_MODE", "WANDB_PROJECT", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return use


def run(folder, names=("wandb",), *, rows=(TRAIN, VAL), **more) -> Trackers:
    with Trackers(names, "tale/1", folder, {"learning_rate": 1e-3}, **more) as sent:
        for row in rows:
            sent.see(row)
    return sent


def test_rows_are_sent_by_kind_and_column_what_is_no_number_left_out(wandb, tmp_path, capsys):
    there = wandb()
    assert run(tmp_path).failures == []
    assert there.rows == [
        (1, {"train/loss": 2.0, "train/learning_rate": 1e-3, "train/tokens": 10.0}),
        (1, {"val/loss": 2.5, "val/accuracy": 0.5, "val/tokens": 10.0}),
    ]
    assert there.finished
    assert (there.told["project"], there.told["name"], there.told["config"]) == (
        "tale",
        "tale/1",
        {"learning_rate": 1e-3},
    )
    told = capsys.readouterr()
    assert told.out == ""  # stdout is for data
    assert "wandb says hello" in told.err


def test_neither_code_nor_output_nor_git_addresses_are_sent(wandb, tmp_path):
    there = wandb()
    run(tmp_path)
    assert there.told["settings"] == {
        "console": "off",
        "silent": True,
        "disable_git": True,
        "save_code": False,
    }


@pytest.mark.parametrize("account", [True, False])
def test_without_account_or_server_a_run_is_kept_offline_and_the_line_that_sends_it_is_told(
    wandb, tmp_path, account, capsys
):
    there = wandb(account=account)  # nothing listens on its port
    run(tmp_path)
    assert there.told["mode"] == "offline"
    assert "wandb sync /runs/tale/1/wandb/offline-run-1" in capsys.readouterr().err


def test_with_both_it_is_sent(wandb, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = wandb(url=f"http://127.0.0.1:{server.getsockname()[1]}")
        run(tmp_path)
    assert there.told["mode"] is None
    assert "http://wandb/tale/1" in capsys.readouterr().err


def test_what_the_user_told_wandb_itself_holds(wandb, tmp_path):
    there = wandb(mode="offline")
    run(tmp_path)
    assert there.told["mode"] == "offline"


def test_a_run_that_goes_on_is_the_same_page_and_another_is_another(wandb, tmp_path):
    (tmp_path / "other").mkdir()
    ids = []
    for folder in (tmp_path, tmp_path, tmp_path / "other"):
        there = wandb()
        run(folder, step=5)
        ids.append(there.told["id"])
    assert ids[0] == ids[1] != ids[2]


def test_trackio_is_told_apart_a_new_run_and_one_that_goes_on(monkeypatch, tmp_path):
    told, rows = [], []
    page = types.SimpleNamespace(log=lambda values, step: rows.append((step, values)))
    fake(
        monkeypatch,
        "trackio",
        init=lambda **more: told.append(more) or page,
        finish=lambda: rows.append("end"),
    )
    run(tmp_path, ("trackio",), rows=[VAL])
    run(tmp_path, ("trackio",), rows=[], step=5)
    assert [one["resume"] for one in told] == ["never", "allow"]
    assert (told[0]["project"], told[0]["name"]) == ("tale", "tale/1")
    assert rows == [(1, {"val/loss": 2.5, "val/accuracy": 0.5, "val/tokens": 10.0}), "end", "end"]


def test_tensorboard_hides_what_a_killed_sitting_logged_behind_its_checkpoint(monkeypatch, tmp_path):
    made, scalars = [], []

    class SummaryWriter:
        def __init__(self, folder, purge_step=None):
            made.append((folder, purge_step))

        def add_text(self, tag, text):
            assert "learning_rate = 0.001" in text

        def add_scalar(self, tag, value, step):
            scalars.append((tag, value, step))

        def close(self):
            scalars.append("closed")

    fake(monkeypatch, "tensorboardX", SummaryWriter=SummaryWriter)
    monkeypatch.setattr(trackers, "find_spec", lambda name: name == "tensorboardX" or None)
    check(["tensorboard"])
    run(tmp_path, ("tensorboard",), rows=[VAL])
    run(tmp_path, ("tensorboard",), rows=[], step=5)
    assert made == [(str(tmp_path / "tensorboard"), None), (str(tmp_path / "tensorboard"), 6)]
    assert scalars == [
        ("val/loss", 2.5, 1),
        ("val/accuracy", 0.5, 1),
        ("val/tokens", 10.0, 1),
        "closed",
        "closed",
    ]


@pytest.mark.parametrize("where", ["init", "log", "finish"])
def test_a_tracker_that_raises_is_said_once_and_the_run_goes_on(wandb, monkeypatch, tmp_path, where, capsys):
    there = wandb()

    def broken(*args, **more):
        raise ConnectionError("no answer")

    setattr(there, where, broken)
    fake(monkeypatch, "wandb", init=there.init, setup=there.setup, login=there.login)
    sent = run(tmp_path, rows=[TRAIN, VAL, TRAIN])
    assert sent.failures == ["wandb: ConnectionError: no answer"]
    assert capsys.readouterr().err.count("no answer; the run goes on without it") == 1


def test_a_tracker_that_would_end_the_program_ends_only_itself(wandb, monkeypatch, tmp_path):
    there = wandb()

    def leave(*args, **more):
        raise SystemExit("no key")

    fake(monkeypatch, "wandb", init=leave, setup=there.setup, login=there.login)
    assert run(tmp_path, rows=[TRAIN]).failures == ["wandb: SystemExit: no key"]


def test_a_name_that_is_none_and_one_that_is_not_installed_are_told_before_training(monkeypatch):
    with pytest.raises(UserError, match=r'names "wandbb", which is no tracker. Nearest: "wandb"'):
        check(["wandbb"])
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(
        MissingExtra, match=r"names tensorboard, trackio, not installed.*pip install tensorboard trackio"
    ):
        check(["tensorboard", "trackio"])


def test_no_run_is_begun_with_a_tracker_that_is_missing(made, monkeypatch):
    import trainer

    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    root, recipe = made('max_steps = 1\ntrackers = ["trackio"]')
    with pytest.raises(MissingExtra, match="pip install trackio"):
        trainer.train(recipe, root=root)
    assert not (root / "runs").exists()


def test_a_run_tells_its_tracker_what_its_journal_has(made, monkeypatch):
    import trainer

    told = []

    class Page:
        """Its own class: TRL asks for the modules of the real ones when it is imported."""

        modules = ("trackio",)

        def __init__(self, run, folder, config, step):
            told.append((run, folder.name, step, config["max_steps"]))

        def log(self, values, step):
            told.append((step, values.get("train/loss", values.get("val/loss"))))

        def end(self):
            told.append("end")

    monkeypatch.setitem(trackers.TRACKERS, "trackio", Page)
    monkeypatch.setattr(trackers, "find_spec", lambda name: object())
    root, recipe = made('max_steps = 2\neval_every = 2\ntrackers = ["trackio"]')
    rows = trainer.train(recipe, root=root, quiet=True).metrics().to_pylist()
    assert told == [("tale/1", "1", 0, 2), *((row["step"], row["loss"]) for row in rows), "end"]
