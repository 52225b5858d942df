"""lm-evaluation-harness: what it is told, the task of the own test split, and what its answers become. The harness itself is a fake here."""

import json
import sys

import pytest

import trainer
from schemas.errors import GristmillError, MissingExtra, UserError
from trainer.data import read_rows
from trainer.evaluate import evaluate
from trainer.evaluation.harness import command, configs, own_name

FAKE = """
import json, pathlib, sys
config = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
if "broken" in config["tasks"]:
    sys.exit("no such task: broken")
path = pathlib.Path(config["output_path"])
path.parent.mkdir(parents=True)
value = 2.5 if "peft" in config["model_args"] else 4.5
results = {task: {"alias": task, "acc,none": value, "acc_stderr,none": "N/A"} for task in config["tasks"]}
path.with_name("results_2026-11-24.json").write_text(json.dumps({"results": results}))
"""


@pytest.fixture(scope="module")
def run(make_version, tmp_path_factory):
    root, recipe = make_version(tmp_path_factory.mktemp("harness"), "max_steps = 1")
    return trainer.train(recipe, root=root, quiet=True)


@pytest.fixture
def harness(tmp_path, monkeypatch):
    """A `lm_eval` that answers by whether an adapter was named."""
    (tmp_path / "lm_eval").mkdir()
    (tmp_path / "lm_eval" / "__init__.py").touch()
    (tmp_path / "lm_eval" / "__main__.py").write_text(FAKE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_the_command_line_and_its_config_are_what_the_harness_documents(run, tmp_path):
    record = run.record
    given = configs(run, record, run.root / "tiny", ["test", "hellaswag"], tmp_path, limit=5, device="cpu")
    assert command(tmp_path / "base.yaml")[1:] == [
        "-m",
        "lm_eval",
        "run",
        "--config",
        str(tmp_path / "base.yaml"),
    ]
    assert given["base"]["model_args"] == {"pretrained": str(run.root / "tiny"), "dtype": "float32"}
    assert given["tuned"]["model_args"] == given["base"]["model_args"] | {"peft": str(run.adapter)}
    for config in given.values():
        assert config["tasks"] == ["gristmill_tale_1_test", "hellaswag"]
        assert (config["limit"], config["log_samples"], config["batch_size"]) == (5, True, 2)
        assert "trust_remote_code" not in config


def test_a_run_that_trained_every_weight_has_no_adapter_to_name(run, tmp_path):
    record = run.record.model_copy(update={"train": run.record.train | {"method": "full"}})
    given = configs(run, record, run.root / "tiny", ["test"], tmp_path, limit=None, device="cpu")
    assert given["tuned"]["model_args"]["pretrained"] == str(run.adapter)
    assert given["tuned"]["model_args"]["tokenizer"] == str(run.root / "tiny")
    assert "peft" not in given["tuned"]["model_args"]
    assert "limit" not in given["tuned"]


def test_the_own_test_split_is_a_task_and_asking_for_it_is_an_opening(run, harness, tiny_model):
    before = len(run.record.openings)
    found = evaluate(run, test=False, harness=["test", "other"], limit=2, quiet=True)
    assert found.opening == before + 1 == len(run.record.openings)
    assert found.harness.base["other"]["acc,none"] == 4.5
    assert found.harness.tuned[own_name(run.record)]["acc,none"] == 2.5
    assert "other acc: base 4.5000, tuned 2.5000" in "\n".join(found.lines())
    assert "stderr" not in "\n".join(found.lines())
    folder = run.path / "harness" / "1"
    task = json.loads((folder / "test.yaml").read_text())
    assert task["task"] == own_name(run.record)
    assert task["output_type"] == "loglikelihood_rolling"
    lines = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    rows = read_rows(run.store.version("tale"), "test").table.to_pylist()
    assert task["dataset_kwargs"]["data_files"]["test"] == str(folder / "test.jsonl")
    assert [line["chunk_id"] for line in lines] == [row["chunk_id"] for row in rows]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_model / "tokenizer.json"))
    assert [tokenizer.encode(line["text"]).ids for line in lines] == [row["input_ids"] for row in rows]


def test_a_limit_without_a_task_is_refused_and_opens_nothing(run):
    before = run.record.openings
    with pytest.raises(UserError, match="limit is of harness tasks"):
        evaluate(run, limit=5)
    assert run.record.openings == before


def test_public_tasks_leave_the_split_sealed(run, harness):
    before = run.record.openings
    found = evaluate(run, test=False, harness=["other"], quiet=True)
    assert found.opening is None
    assert run.record.openings == before
    assert "items of each" not in "\n".join(found.lines())
    newest = max((run.path / "harness").iterdir(), key=lambda path: int(path.name))
    assert not (newest / "test.jsonl").exists()


def test_a_harness_that_fails_says_why_and_keeps_what_was_measured_before(run, harness):
    with pytest.raises(GristmillError, match=r"ended with 1: no such task: broken.*lm_eval run --config"):
        evaluate(run, harness=["broken"], quiet=True)
    last = json.loads((run.path / "evaluations.jsonl").read_text().splitlines()[-1])
    assert last["tuned"]["loss"] > 0
    assert last["harness"] is None


def test_without_the_harness_the_extra_is_named_and_nothing_is_opened(run, monkeypatch):
    import trainer.evaluation.harness as module

    before = run.record.openings
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'gristmill\[eval-harness\]'"):
        evaluate(run, harness=["test"])
    assert run.record.openings == before
    assert "lm_eval" not in sys.modules
