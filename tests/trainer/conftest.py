"""A tiny base model, and versions written by hand: the trainer's tests need neither a crawl nor a build."""

import gc
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# Two threads spin against each other on a busy machine: a tiny model trains fifteen times slower then.
os.environ["OMP_NUM_THREADS"] = "1"
from tiny_model import END, TEXTS, make_tiny_model

from plugins import models
from plugins.registry import load_recipe
from schemas.manifest import (
    LeakageCertificate,
    Manifest,
    SplitRecord,
    TokenizerRecord,
    manifest_bytes,
    sha_line,
)
from schemas.tables import CHUNKS
from trainer.preflight import machine

machine.TRIAL_SECONDS = 0  # a preflight's trial of the machine's speed: twice is enough


@pytest.fixture(scope="session")
def frozen() -> list[bool]:
    """Whether the libraries' objects are kept from the garbage collector, which a training calls and which goes through all of them."""
    return []


@pytest.fixture(autouse=True)
def _freeze(frozen: list[bool]) -> None:
    if "trl" in sys.modules and not frozen:
        gc.freeze()
        frozen.append(True)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A two-layer Llama with its tokenizer."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def encode(model: Path, text: str) -> list[int]:
    """Token ids of a text, with the end token."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    return [*tokenizer.encode(text).ids, tokenizer.token_to_id(END)]


def chunk_rows(model: Path, split: str, texts: Sequence[str]) -> list[dict]:
    """One chunk a text, all of it trained."""
    rows = []
    for n, text in enumerate(texts):
        ids = encode(model, text)
        name = hashlib.md5(f"{split}{n}".encode()).hexdigest()
        rows.append({
            "chunk_id": name, "doc_id": f"doc-{split}-{n}", "group_id": f"g{n}", "split": split, "position": 0,
            "char_start": 0, "char_end": len(text), "turn_start": None, "turn_end": None,
            "n_tokens": len(ids), "n_trained": len(ids), "input_ids": ids, "labels": list(ids),
        })  # fmt: skip
    return rows


def write_version(
    root: Path, recipe: Path, model: Path, rows: dict[str, list[dict]], number: int = 1
) -> Path:
    """A published version with chunks only, as `train` reads it."""
    resolved = load_recipe(recipe)
    path = root / "corpora" / resolved.recipe.name / f"v{number}"
    (path / "chunks").mkdir(parents=True)
    for split, listed in rows.items():
        if listed:
            table = pa.Table.from_pylist(listed, CHUNKS)
            pq.write_table(table, path / "chunks" / f"{split}-00000.parquet", write_page_checksum=True)
    splits = {
        split: SplitRecord(
            target=0.1,
            groups=len(listed),
            documents=len(listed),
            chunks=len(listed),
            tokens=sum(r["n_tokens"] for r in listed),
        )
        for split, listed in rows.items()
    }
    manifest = Manifest(
        name=resolved.recipe.name, version=number, fingerprint=f"f{number}", recipe=resolved.corpus_sections(), sections=resolved.sections,
        sources=(), phases=(), splits=splits,
        leakage=LeakageCertificate(ngram=13, bound=0.2, val_documents=0, val_leaking=0, val_mean_overlap=0, test_documents=0,
                                   test_leaking=0, test_mean_overlap=0),
        tokenizer=TokenizerRecord(model="tiny", digest=models.tokenizer_digest(model), eos_token_id=models.eos_token_id(model),
                                  format="text", max_tokens=resolved.recipe.tokens.max_tokens),
        timeouts=0, libraries={}, files=(), counts={},
    )  # fmt: skip
    data = manifest_bytes(manifest)
    (path / "manifest.json").write_bytes(data)
    (path / "manifest.json.sha256").write_text(sha_line(data))
    return path


Make = Callable[..., tuple[Path, Path]]


@pytest.fixture(scope="session")
def make_version(tiny_model: Path) -> Make:
    """Writes a recipe with the given [train] lines and a version of it under a root; returns (root, recipe)."""

    def make(
        root: Path,
        train: str = "",
        *,
        train_texts=TEXTS[:24],
        val_texts=TEXTS[24:36],
        test_texts=TEXTS[36:48],
        edit=None,
    ):
        recipe = root / "recipe.toml"
        usual = ['backend = "peft"', "batch_size = 4", "micro_batch_size = 2", "learning_rate = 1e-2"]
        lines = [line for line in usual if f"{line.split()[0]} =" not in train]
        recipe.write_text(
            'name = "tale"\n[[source]]\nuse = "files"\npath = "*.txt"\n'
            f'[tokens]\nmodel = "{tiny_model}"\nmax_tokens = 128\n[train]\n' + "\n".join([*lines, train, ""])
        )
        texts = {"train": train_texts, "val": val_texts, "test": test_texts}
        rows = {split: chunk_rows(tiny_model, split, listed) for split, listed in texts.items()}
        if edit:
            edit(rows)
        write_version(root, recipe, tiny_model, rows)
        return root, recipe

    return make


@pytest.fixture
def made(tmp_path: Path, make_version: Make) -> Make:
    """`make_version` in the test's own folder."""
    return lambda *args, **more: make_version(tmp_path, *args, **more)
