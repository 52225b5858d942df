"""The preflight of a whole recipe: what it tells, what it refuses, and that it loads nothing heavy to do so."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from tiny_model import END, TEXTS

from plugins.registry import load_recipe
from schemas.errors import Mismatch, NotFound, UserError
from schemas.manifest import manifest_bytes, sha_line
from schemas.store import Store
from trainer import sft
from trainer.plan import make_plan
from trainer.preflight import checks
from trainer.preflight.packed import packed_rows

RECIPES = Path(__file__).resolve().parents[3] / "recipes"
MISTRAL_7B = {
    "model_type": "mistral", "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": False, "max_position_embeddings": 32768,
    "eos_token_id": 2, "bos_token_id": 1,
}  # fmt: skip


def test_the_guides_own_run_fits_an_80_gb_card_and_is_told_without_its_weights(made, tiny_model):
    """recipes/roleplay-7b.toml with a model that is a config and a tokenizer."""
    recipe = RECIPES / "roleplay-7b.toml"
    root, _ = made(train_texts=TEXTS[:64] * 40)
    model = root / ".gristmill/models/mistralai--Mistral-7B-v0.1"
    model.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(tiny_model / name, model / name)
    (model / "config.json").write_text(json.dumps(MISTRAL_7B))
    published_as(root, recipe)
    found = sft.train(recipe, root=root, dry_run=True, meant_for="h100-80gb", quiet=True)
    assert found.parameters == 7_241_732_096, "of Mistral 7B"
    assert found.trainable == 83_886_080
    assert 30e9 < found.memory.total < 45e9
    assert found.memory.evaluating < 60e9
    assert found.warnings == ()
    with pytest.raises(
        NotFound, match=r"no \*\.safetensors.*gristmill models pull mistralai/Mistral-7B-v0.1"
    ):
        sft.train(recipe, root=root, dry_run=True)


def test_a_dry_run_for_a_machine_too_small_says_what_takes_less(made):
    root, recipe = made('method = "full"')
    found = sft.train(recipe, root=root, dry_run=True, meant_for="t4-16gb")
    assert found.trainable == found.parameters
    with pytest.raises(UserError, match=r"--for t4-16gb asks what a run would take.*Add --dry-run"):
        sft.train(recipe, root=root, meant_for="t4-16gb")


def test_a_dry_run_leaves_a_session_that_can_still_import_unsloth_first(made):
    root, recipe = made('backend = "unsloth"')
    code = (
        f"import sys; from trainer import sft; sft.train({str(recipe)!r}, root={str(root)!r}, dry_run=True, device='cpu'); "
        "print([name for name in ('unsloth', 'transformers', 'peft', 'trl') if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=RECIPES.parent
    )
    assert told.stdout == "[]\n"


@given(lengths=st.lists(st.integers(0, 60), max_size=80), longest=st.integers(60, 200))
def test_rows_are_packed_into_as_many_as_trl_makes(lengths, longest):
    import pyarrow as pa
    import trl

    texts = pa.array([list(range(length)) for length in lengths], pa.list_(pa.int32()))
    made = trl.data_utils._pack_bfd(pa.table({"input_ids": texts}), longest) if any(lengths) else []
    assert packed_rows(lengths, longest) == len(made)


def test_a_dry_run_counts_the_rows_that_packing_makes(made):
    root, recipe = made(train_texts=TEXTS * 10)
    plan = make_plan(recipe, root=root, device="cpu", version=None, dry_run=True)
    assert plan.packed_rows("train") == len(plan.datasets["train"]), "1200 documents, so more than one group"


def test_the_preflight_tells_costs_and_shows_three_rows(made):
    root, recipe = made("max_steps = 4")
    found = sft.train(recipe, root=root, dry_run=True, quiet=True)
    told = "\n".join(found.lines(colour=False))
    for part in (
        " numbers beside the 93,248 of the base",
        "memory: about",
        "gradients",
        "time: about",
        "GFLOP/s, measured on cpu",
        "⟦",
    ):
        assert part in told, part
    assert len(found.previews) == 3
    values = json.loads(json.dumps(found.to_json()))
    assert values["memory"]["total"] == found.memory.total
    assert values["previews"][0]["runs"]


def test_a_base_that_ends_its_texts_otherwise_is_refused(made, tiny_model, tmp_path):
    other = copy_of(tiny_model, tmp_path / "other", eos_token="!", pad_token="!")
    root, recipe = made(f'model = "{other}"')
    with pytest.raises(Mismatch, match=r"ends its texts with token 0, but .* ends with \d+"):
        sft.train(recipe, root=root, dry_run=True)


def test_a_base_with_another_chat_template_is_refused(made, tiny_model, tmp_path):
    root, _ = made()
    version, manifest = opened(root)
    taken = {"source": "of the base model", "text": "{{ messages }}", "variables": {"eos_token": END}}
    told = manifest.tokenizer.model_copy(update={"options": {"taken": taken, "template": None}})
    manifest = manifest.model_copy(update={"tokenizer": told})
    other = copy_of(tiny_model, tmp_path / "other", chat_template="{{ turns }}")
    with pytest.raises(
        Mismatch,
        match=r"was written in the chat template of tiny, but it has another \(it differs from character 3",
    ):
        checks.check_template(version, manifest, other, "it")
    checks.check_template(version, manifest, tiny_model, "it")  # it has none: it learns this one
    ends = copy_of(tiny_model, tmp_path / "ends", eos_token="!")
    with pytest.raises(Mismatch, match=r"writes its eos_token as '<\|end\|>', but it has '!'"):
        checks.check_template(version, manifest, ends, "it")


def test_a_corpus_of_a_newer_format_is_refused(made):
    root, recipe = made()
    path = root / "corpora/tale/v1/manifest.json"
    data = json.dumps({**json.loads(path.read_bytes()), "format_version": 99}).encode()
    path.write_bytes(data)
    path.with_name("manifest.json.sha256").write_text(sha_line(data))
    with pytest.raises(Mismatch, match=r"has format 99; this gristmill reads up to \d+\. Upgrade gristmill"):
        sft.train(recipe, root=root, dry_run=True)


def test_a_model_that_is_not_there_and_one_of_pickles_are_refused(made, tiny_model, tmp_path):
    root, recipe = made('model = "no-such-model"')
    with pytest.raises(NotFound, match='no model "no-such-model".*gristmill models pull'):
        sft.train(recipe, root=root, dry_run=True)
    pickled = copy_of(tiny_model, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    recipe.write_text(recipe.read_text().replace("no-such-model", str(pickled)))
    with pytest.raises(NotFound, match=r"has its weights only as pickles"):
        sft.train(recipe, root=root, dry_run=True)


def copy_of(model, path, **config):
    """The model in another folder, with other lines in its tokenizer's config."""
    shutil.copytree(model, path)
    file = path / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return path


def opened(root):
    version = Store(root).version("tale")
    return version, version.manifest()


def published_as(root, recipe):
    """The version tale@1 again, as one that was built from `recipe`."""
    resolved, (version, manifest) = load_recipe(recipe), opened(root)
    name = resolved.recipe.name
    path = root / "corpora" / name / "v1"
    shutil.copytree(version.path, path)
    told = manifest.tokenizer.model_copy(update={"max_tokens": resolved.recipe.tokens.max_tokens})
    update = {
        "name": name,
        "sections": resolved.sections,
        "recipe": resolved.corpus_sections(),
        "tokenizer": told,
    }
    data = manifest_bytes(manifest.model_copy(update=update))
    (path / "manifest.json").write_bytes(data)
    (path / "manifest.json.sha256").write_text(sha_line(data))


def test_a_budget_of_tokens_shortens_the_time_that_is_told(made):
    root, recipe = made("epochs = 50\nearly_stopping = false")
    whole = sft.train(recipe, root=root, dry_run=True, meant_for="t4-16gb", quiet=True)
    recipe.write_text(recipe.read_text() + f"max_tokens = {whole.tokens_per_step * 10}\neval_every = 1000\n")
    part = sft.train(recipe, root=root, dry_run=True, meant_for="t4-16gb", quiet=True)
    assert part.steps == whole.steps
    assert part.time.seconds < whole.time.seconds / 2
