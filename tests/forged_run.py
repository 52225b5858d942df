"""A finished run without training: a tiny base, an adapter of random numbers, a val split, and the record that says so."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tiny_model import END, TEXTS, make_tokenizer

TURN = "<|turn|>"
OWN = "{% for m in messages %}{{ m.role + ': ' + m.content + '<|turn|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
"""A chat template whose end mark is not the tokenizer's end token."""
VOCABULARY = 292


def make_base(folder: Path, *, kind: str = "Llama", template: str | None = OWN, **config: Any) -> Path:
    """A two-layer model of the kind Llama, Mistral or Qwen2, with two special tokens and a few rows of embeddings that no token has."""
    import torch
    import transformers
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

    from trainer.exports.gguf_vocabulary import QWEN_2

    make_tokenizer(folder, TEXTS, VOCABULARY - 2)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens([TURN])
    if kind == "Qwen2":
        # transformers gives a Qwen2 these rules and this token, whatever its files say.
        tokenizer.add_special_tokens(["<|endoftext|>"])
        words = pre_tokenizers.Split(Regex(QWEN_2), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])  # fmt: skip
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.save(str(folder / "tokenizer.json"))
    told = json.loads((folder / "tokenizer_config.json").read_text())
    if template:
        (folder / "tokenizer_config.json").write_text(json.dumps({**told, "chat_template": template}))
    shape = {
        "vocab_size": VOCABULARY + 4, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 512, "eos_token_id": 0, "bos_token_id": None, "pad_token_id": None,
        "tie_word_embeddings": True, "initializer_range": 0.2,
    }  # fmt: skip
    transformers.utils.logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made = getattr(transformers, f"{kind}Config")(**{**shape, **config})
        model = getattr(transformers, f"{kind}ForCausalLM")(made)
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.data.normal_(std=0.2)
    model.save_pretrained(folder)
    return folder


def forge(root: Path, base: Path, *, form: dict[str, Any] | None = None, method: str = "lora", lora: dict[str, Any] | None = None) -> Any:  # fmt: skip
    """The run `tale/1` under `root`; `form` is a format's table as a recipe has it, None is plain text."""
    from plugins import models
    from plugins.entries import class_of
    from schemas.manifest import SplitRecord, TokenizerRecord
    from schemas.recipe import Train
    from trainer import runs
    from trainer.record import Outcome, RunRecord, adapter_digest, base_record, write_record

    path = root / "runs" / "tale" / "1"
    path.mkdir(parents=True)
    train = Train.model_validate({
        "model": str(base),
        "backend": "peft",
        "method": method,
        "lora": lora or {"r": 4},
    })
    _learn(base, train, path / runs.ADAPTER)
    options: dict[str, Any] = {}
    if form:
        made = class_of("format", form["use"], None).model_validate({
            k: v for k, v in form.items() if k != "use"
        })
        options = made.prepared(base).model_dump(mode="json")  # type: ignore[attr-defined]
    tokens = TokenizerRecord(model="tiny", digest=models.tokenizer_digest(base), eos_token_id=0, max_tokens=128,
                             format=form["use"] if form else "text", options=options)  # fmt: skip
    splits = {split: SplitRecord(target=0.1, groups=2, documents=2, chunks=2, tokens=40) for split in ("train", "val", "test")}  # fmt: skip
    outcome = Outcome(steps=9, stop_reason="all 9 steps are done", kept="last", best_step=9, first_val_loss=5.0, val_loss=3.0,
                      last_val_loss=3.0, train_loss=2.9, trained_tokens=900, seconds=60.0)  # fmt: skip
    record = RunRecord(
        run="tale/1", corpus="tale@1", fingerprint="f1", splits=splits, split={}, tokenizer=tokens, base=base_record(str(base), base),
        recipe=str(root / "recipe.toml"), train=train.model_dump(mode="json"), backend="peft", device="cpu", precision="float32",
        max_length=128, seed=7, libraries={"torch": "2"}, status="finished", outcome=outcome, adapter=adapter_digest(path / runs.ADAPTER),
    )  # fmt: skip
    write_record(path, record)
    return runs.open("tale/1", root=root)


def _learn(base: Path, train: Any, target: Path) -> None:
    """Random numbers in place of training, large enough that they show in every answer."""
    import torch

    from plugins.backends.peft import Peft
    from trainer.saving import saver

    loaded = Peft().load(base, train, max_length=128)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        for name, weight in sorted(loaded.model.named_parameters()):
            if weight.requires_grad and (".lora_B." in name or train.method == "full"):
                weight.data.add_(torch.randn(weight.shape) * 0.1)
    saver(loaded, str(base))(target)


def write_corpus(root: Path, base: Path, *, license_name: str | None = "CC-BY-4.0") -> Path:
    """Version `tale@1` as far as an export reads it: the manifest, two rows of val, documents with their licences."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer

    from plugins import models
    from schemas.manifest import (  # fmt: skip
        LeakageCertificate,
        Manifest,
        SourceRecord,
        SplitRecord,
        TokenizerRecord,
        manifest_bytes,
        sha_line,
    )
    from schemas.tables import CHUNKS, DOCUMENTS

    path = root / "corpora" / "tale" / "v1"
    (path / "chunks").mkdir(parents=True)
    (path / "documents").mkdir()
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    for split in ("val", "test"):
        rows = []
        for n, text in enumerate(TEXTS[:2] if split == "val" else TEXTS[9:11]):
            ids = tokenizer.encode(text).ids
            name = hashlib.md5(f"{split}{n}".encode()).hexdigest()
            rows.append({"chunk_id": name, "doc_id": name, "group_id": name, "split": split, "position": 0, "char_start": 0,
                         "char_end": len(text), "turn_start": None, "turn_end": None, "n_tokens": len(ids), "n_trained": len(ids),
                         "input_ids": ids, "labels": ids})  # fmt: skip
        pq.write_table(pa.Table.from_pylist(rows, CHUNKS), path / "chunks" / f"{split}-00000.parquet")
    document = {
        "source": "old | books",
        "lang": "en",
        "license": license_name,
        "split": "train",
        "n_tokens": 20,
    }
    documents = [{field.name: None for field in DOCUMENTS} | document for _ in range(3)]
    schema = pa.schema([field.with_nullable(True) for field in DOCUMENTS])
    pq.write_table(pa.Table.from_pylist(documents, schema), path / "documents" / "train-00000.parquet")
    manifest = Manifest(
        name="tale", version=1, fingerprint="f1", recipe={}, sections="s", phases=(),
        sources=(SourceRecord(name="old | books", use="files", digest="d", pages=4, bytes=9),),
        splits={"val": SplitRecord(target=0.1, groups=2, documents=2, chunks=2, tokens=40)},
        leakage=LeakageCertificate(ngram=13, bound=0.2, val_documents=2, val_leaking=0, val_mean_overlap=0, test_documents=2, test_leaking=1,
                                   test_mean_overlap=0),
        tokenizer=TokenizerRecord(model="tiny", digest=models.tokenizer_digest(base), eos_token_id=0, format="text", max_tokens=128),
        timeouts=0, libraries={}, files=(), counts={},
    )  # fmt: skip
    data = manifest_bytes(manifest)
    (path / "manifest.json").write_bytes(data)
    (path / "manifest.json.sha256").write_text(sha_line(data))
    return path


__all__ = ["END", "OWN", "TURN", "forge", "make_base", "write_corpus"]
