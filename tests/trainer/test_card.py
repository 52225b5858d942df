"""Model cards: the Hub reads their YAML, lineage and licences are in them, and nothing of this machine is."""

import math
from pathlib import Path

import pytest
from forged_run import forge, make_base, write_corpus
from huggingface_hub import ModelCard

from trainer import card
from trainer.record import Opening, write_record


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run whose corpus is here."""
    root = tmp_path_factory.mktemp("run")
    base = make_base(root / "tiny-base")
    (base / "README.md").write_text("---\nlicense: mit\n---\n")
    write_corpus(root, base)
    return forge(root, base, form={"use": "chat"})


def read(path: Path) -> ModelCard:
    """As the Hub's own library reads it."""
    return ModelCard.load(path)


@pytest.mark.parametrize(
    ("options", "relation", "library"),
    [
        ({"to": "adapter"}, "adapter", "peft"),
        ({"to": "safetensors", "dtype": "bfloat16"}, "finetune", "transformers"),
        ({"to": "gguf", "quantize": "f16"}, "finetune", "gguf"),
        ({"to": "ollama", "quantize": "q4_0"}, "quantized", "gguf"),
    ],
)
def test_the_hubs_keys_are_there_and_parse(run, tmp_path, options, relation, library):
    data = read(card.write(run, tmp_path, **options)).data
    assert data.base_model == "tiny-base"
    assert data.base_model_relation == relation
    assert (data.library_name, data.pipeline_tag, data.license) == (library, "text-generation", "mit")
    assert (data.datasets, data.language) == (["tale"], ["en"])
    assert "gristmill" in data.tags


def test_val_is_reported_until_test_was_opened(run, tmp_path):
    found = {one.metric_type: one for one in read(card.write(run, tmp_path)).data.eval_results}
    assert found["loss"].dataset_split == "validation"
    assert found["perplexity"].metric_value == pytest.approx(math.exp(3.0), abs=1e-3)
    record = run.record
    broken = Opening(at="2026-01-02T00:00:00+00:00")
    opened = Opening(at="2026-01-01T00:00:00+00:00", base_loss=4.0, tuned_loss=2.0)
    write_record(run.path, record.model_copy(update={"openings": (opened, broken)}))
    made = read(card.write(run, tmp_path))
    write_record(run.path, record)
    assert {one.dataset_split for one in made.data.eval_results} == {"test"}
    assert made.data.eval_results[0].metric_value == 2.0
    assert "| test | 4.0000 | 2.0000 | 54.60 | 7.39 |" in made.text
    assert "opened 2 times" in made.text


def test_lineage_names_sources_with_pages_documents_tokens_and_licences(run, tmp_path):
    text = card.write(run, tmp_path).read_text()
    assert "tale@1, fingerprint `f1`" in text
    assert r"| old \| books | files | 4 | 3 | 60 | CC-BY-4.0 (3) |" in text
    assert "Of 2 test documents, 1 share more than 20%" in text


def test_a_corpus_that_is_not_here_is_said_to_be_missing(tmp_path):
    run = forge(tmp_path, make_base(tmp_path / "tiny"))
    made = read(card.write(run))
    assert "its sources and their licences are not listed" in made.text
    assert made.data.license == "other"
    assert made.data.to_dict()["license_name"] == "not-stated"
    assert (run.path / "README.md").is_file(), "by default it is the run's own"


def test_a_documents_missing_licence_is_told_as_such(tmp_path):
    base = make_base(tmp_path / "tiny")
    write_corpus(tmp_path, base, license_name=None)
    assert "not stated (3)" in card.write(forge(tmp_path, base)).read_text()


def test_no_path_of_this_machine_is_in_a_card(run, tmp_path):
    text = card.write(run, tmp_path).read_text()
    assert str(run.root) not in text
    assert str(tmp_path) not in text
    assert "/tmp" not in text
