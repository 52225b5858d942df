"""The sealed test split: measured for base and tuned, counted at each opening, refused where things do not belong together."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

import trainer
from plugins.backends.peft import Peft
from schemas.errors import Corruption, Mismatch, NotFound, UserError
from schemas.manifest import FORMAT, sha_line
from schemas.recipe import Train
from trainer.data import read_rows
from trainer.evaluate import _open as open_split, evaluate
from trainer.evaluation import evaluations
from trainer.evaluation.measure import measure
from trainer.record import write_record
from trainer.steps import packing

TRAIN = "max_steps = 6\neval_every = 3"


@pytest.fixture(scope="module")
def trained(make_version, tmp_path_factory):
    """A root with a finished run, to be copied: most tests change something about it."""
    root, recipe = make_version(tmp_path_factory.mktemp("trained"), TRAIN)
    trainer.train(recipe, root=root, quiet=True)
    return root


@pytest.fixture
def run(trained, tmp_path):
    return trainer.open("tale/1", root=shutil.copytree(trained, tmp_path / "root"))


def test_base_and_tuned_are_measured_on_the_same_test_tokens(run, tiny_model):
    found = run.evaluate(device="cpu")
    rows = read_rows(run.store.version("tale"), "test")
    plain = packing.dataset(rows, 128, packing=False)
    untouched = Peft().load(tiny_model, Train(), max_length=128).model.unload()
    alone = measure(untouched, plain, packing.Collator(0), batch_size=1)
    packed = measure(untouched, packing.dataset(rows, 128, packing=True), packing.Collator(0), batch_size=3)
    assert found.base.loss == pytest.approx(alone.loss, abs=1e-5)
    assert found.base.loss == pytest.approx(packed.loss, abs=1e-5)
    assert found.base.accuracy == pytest.approx(alone.accuracy)
    assert found.base.tokens == found.tuned.tokens == rows.trained
    assert found.tuned.loss < found.base.loss
    assert found.to_json()["tuned"]["perplexity"] == pytest.approx(found.tuned.perplexity)


def test_all_numbers_of_every_evaluation_are_kept(run):
    first = evaluate(run)
    second = evaluate(run, test=False, samples=2, memorisation=3)
    kept = evaluations.read(run)
    assert [one["opening"] for one in kept] == [1, None]
    assert kept[0]["tuned"] == first.to_json()["tuned"]
    assert kept[1]["memorisation"] == json.loads(json.dumps(second.memorisation.to_json()))
    assert kept[1]["samples"] == [sample.to_json() for sample in second.samples]
    assert kept[1]["fingerprint"] == run.record.fingerprint


def test_a_split_left_sealed_is_neither_read_nor_counted(run):
    for file in (run.root / "corpora/tale/v1/chunks").glob("test-*"):
        file.write_bytes(b"not to be opened")
    (run.path / "mine.txt").write_text("The innkeeper\nWho let")
    found = evaluate(run, test=False, memorisation=2, prompts=run.path / "mine.txt")
    assert run.record.openings == ()
    assert found.to_json()["tuned"] is None
    assert [sample.prompt for sample in found.samples] == ["The innkeeper", "Who let"]
    assert [sample.tuned for sample in found.samples] == [
        run.chat(prompt, max_new_tokens=100) for prompt in ("The innkeeper", "Who let")
    ]
    assert found.memorisation.answers == 2
    with pytest.raises(UserError, match="stayed sealed"):
        _ = found.base
    with pytest.raises(Corruption):
        evaluate(run)


def test_samples_are_val_beginnings_and_what_each_model_makes_of_them(run):
    found = evaluate(run, test=False, samples=3)
    vals = {
        row["doc_id"]: row["input_ids"]
        for row in read_rows(run.store.version("tale"), "val").table.to_pylist()
    }
    assert len({sample.document for sample in found.samples}) == 3
    for sample in found.samples:
        speaker = run._speaker
        assert speaker.tokenizer.decode(vals[sample.document]).startswith(sample.prompt)
        assert sample.base == run.chat(sample.prompt, base=True, max_new_tokens=100)
        assert sample.tuned == run.chat(sample.prompt, max_new_tokens=100) != sample.base
    assert (run.path / "samples.md").read_text().count("## Prompt") == 3


def test_a_run_that_trained_every_weight_is_measured_against_the_base_it_began_from(made, tiny_model):
    root, recipe = made('method = "full"\nmax_steps = 2\nlearning_rate = 1e-3')
    run = trainer.train(recipe, root=root, quiet=True)
    found = run.evaluate(memorisation=2)
    rows = packing.dataset(read_rows(run.store.version("tale"), "test"), 128, packing=False)
    untouched = Peft().load(tiny_model, Train(), max_length=128).model.unload()
    alone = measure(untouched, rows, packing.Collator(0), batch_size=4)
    assert found.base.loss == pytest.approx(alone.loss, abs=1e-5)
    assert found.tuned.loss < found.base.loss
    assert found.memorisation.answers == 2


def test_a_run_that_is_not_finished_is_refused(run):
    record = run.record
    write_record(run.path, record.model_copy(update={"status": "started", "outcome": None}))
    with pytest.raises(NotFound, match="tale/1 is not finished.*--resume"):
        evaluate(run)


def test_each_opening_is_counted_with_what_it_showed(run):
    first, second = run.evaluate(), run.evaluate()
    assert (first.opening, second.opening) == (1, 2)
    assert [opening.tuned_loss for opening in run.record.openings] == [first.tuned.loss, second.tuned.loss]


def test_a_look_broken_off_was_a_look(run, monkeypatch):
    import trainer.evaluate as module

    monkeypatch.setattr(module, "compare", lambda *args, **more: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run.evaluate()
    assert [opening.tuned_loss for opening in run.record.openings] == [None]


def test_what_fails_before_the_split_is_read_was_no_look(run):
    with pytest.raises(UserError, match='no device "tpu" here'):
        run.evaluate(device="tpu")
    assert run.record.openings == ()


def test_openings_at_once_are_all_counted(run):
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: open_split(run), range(8)))
    assert sorted(numbers) == list(range(1, 9))
    assert len(run.record.openings) == 8


def test_training_does_not_read_the_test_split(made):
    root, recipe = made("max_steps = 1")
    for file in (root / "corpora/tale/v1/chunks").glob("test-*"):
        file.write_bytes(b"not to be opened")
    assert trainer.train(recipe, root=root).record.openings == ()


def test_another_corpus_under_the_same_name_is_refused(run):
    path = run.root / "corpora/tale/v1"
    tables = json.loads((path / "manifest.json").read_bytes()) | {"fingerprint": "another"}
    (path / "manifest.json").write_text(json.dumps(tables))
    (path / "manifest.json.sha256").write_text(sha_line((path / "manifest.json").read_bytes()))
    with pytest.raises(Mismatch, match=r"was trained on tale@1 with fingerprint f1, but .* has another"):
        run.evaluate()
    with pytest.raises(Mismatch, match="fingerprint"):
        run.chat("The innkeeper")
    assert run.record.openings == ()


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("model.safetensors", "weights"),
        ("tokenizer.json", "tokenizer"),
        ("chat_template.jinja", "chat template"),
    ],
)
def test_another_base_model_is_refused_naming_what_differs(made, tiny_model, tmp_path, file, what):
    own = shutil.copytree(tiny_model, tmp_path / "own")
    root, recipe = made(f'max_steps = 1\nmodel = "{own}"')
    run = trainer.train(recipe, root=root)
    if file == "model.safetensors":
        data = bytearray((own / file).read_bytes())
        data[-1] ^= 1
        (own / file).write_bytes(data)
    elif file == "tokenizer.json":
        tables = json.loads((own / file).read_text())
        tables["added_tokens"][0]["lstrip"] = True
        (own / file).write_text(json.dumps(tables))
    else:
        (own / file).write_text("{{ messages }}")
    for use in (run.evaluate, lambda: run.chat("The innkeeper")):
        with pytest.raises(Mismatch, match=f"with {what} .* the adapter would answer nonsense"):
            use()


def test_the_adapter_of_another_run_is_refused(made):
    root, recipe = made("max_steps = 1")
    first = trainer.train(recipe, root=root)
    recipe.write_text(recipe.read_text().replace("max_steps = 1", "max_steps = 2"))
    second = trainer.train(recipe, root=root)
    shutil.copytree(second.adapter, first.adapter, dirs_exist_ok=True)
    for use in (first.evaluate, lambda: first.chat("The innkeeper")):
        with pytest.raises(Mismatch, match="is not the adapter that tale/1 saved"):
            use()
    assert first.record.openings == ()
    assert second.chat("The innkeeper", max_new_tokens=1) is not None


def test_what_a_newer_gristmill_wrote_is_refused(run):
    path = run.root / "corpora/tale/v1"
    tables = json.loads((path / "manifest.json").read_bytes()) | {"format_version": 99, "unheard_of": 1}
    (path / "manifest.json").write_text(json.dumps(tables))
    (path / "manifest.json.sha256").write_text(sha_line((path / "manifest.json").read_bytes()))
    for use in (run.evaluate, lambda: run.chat("The innkeeper")):
        with pytest.raises(
            Mismatch, match=rf"v1 has format 99; this gristmill reads up to {FORMAT}. Upgrade gristmill"
        ):
            use()
    record = json.loads((run.path / "gristmill.json").read_bytes()) | {"format_version": 99, "unheard_of": 1}
    (run.path / "gristmill.json").write_text(json.dumps(record))
    with pytest.raises(Mismatch, match=r"gristmill.json has format 99.*Upgrade gristmill"):
        run.evaluate()


def test_an_empty_test_split_says_what_to_set_and_counts_nothing(made):
    root, recipe = made("max_steps = 1", test_texts=())
    run = trainer.train(recipe, root=root)
    with pytest.raises(UserError, match=r"the test split of tale@1 is empty. Set \[split\] test = 0.1"):
        run.evaluate()
    assert run.record.openings == ()


def test_unknown_runs_are_named_with_the_nearest(run):
    with pytest.raises(NotFound, match='no run named "tail".*Nearest: "tale"'):
        trainer.open("tail", root=run.root)
    with pytest.raises(NotFound, match='tale has no run "7"; it has 1'):
        trainer.open("tale/7", root=run.root)


def test_a_broken_record_is_corruption_and_listed_as_unreadable(run):
    (run.path / "gristmill.json").write_text("{")
    with pytest.raises(Corruption, match="is not a run's record"):
        _ = run.record
    assert [row.status for row in trainer.listing(run.root)] == ["unreadable"]


def test_an_evaluation_that_asks_nothing_is_refused_before_a_model_is_loaded(run, monkeypatch):
    monkeypatch.setattr("trainer.evaluate.read_model", lambda *args: pytest.fail("loaded"))
    with pytest.raises(UserError, match="nothing is asked"):
        evaluate(run, test=False)


def test_samples_of_an_empty_val_split_are_told_to_be_none(made, capsys):
    root, recipe = made("max_steps = 1\nearly_stopping = false", val_texts=())
    trained = trainer.train(recipe, root=root, quiet=True)
    assert evaluate(trained, test=False, samples=2).samples == []
    assert "samples: no val row is long enough" in capsys.readouterr().err
