"""Base and adapter as one model, and that model as a folder which transformers opens.

Merging is done in float32 (W + scale · B A; DoRA's and rsLoRA's own rules are PEFT's) and rounded once, when the file is written. A head
that the base ties to its embeddings stays tied, and is written once; where a run moved them apart, both are written and the config says so.

Rejected: saving the tokenizer through transformers. It rewrites tokenizer.json, and what the corpus was cut with would
no longer be, byte for byte, what is shipped; so the base's own files are copied.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from trainer.exports.spoken import Spoken
from trainer.record import write_json
from trainer.saving import TOKENIZER_FILES

SHARD = "5GB"
LEGAL = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")


def merged(model: Any) -> Any:
    """`model` with its adapter's change in its own weights: a plain transformers model, the same object where nothing was adapted.

    Raises ValueError, PEFT's, where a merged weight would be no number.
    """
    plain = model.merge_and_unload(safe_merge=True) if hasattr(model, "merge_and_unload") else model
    head = plain.get_output_embeddings()
    if head is not None and head.weight.data_ptr() != plain.get_input_embeddings().weight.data_ptr():
        plain.config.tie_word_embeddings = False
    return plain


def save_merged(model: Any, spoken: Spoken, base: Path, target: Path, *, dtype: str) -> None:
    """Write `model` to the folder `target` in `dtype`, with the tokenizer of the folder `base` and what `spoken` says. Raises OSError."""
    import torch

    wanted = getattr(torch, dtype)
    cast: dict[int, Any] = {}
    state = {}
    for name, weight in model.state_dict().items():
        # One tensor under two names stays one.
        kept = cast.setdefault(weight.data_ptr(), weight.to(wanted) if weight.is_floating_point() else weight)
        state[name] = kept if kept.shape == weight.shape else weight.to(wanted)
    _ends(model, spoken)
    model.save_pretrained(target, state_dict=state, max_shard_size=SHARD)
    # transformers writes the dtype of the model in memory, not of what it was given to write.
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    write_json(target / "config.json", {**config, "dtype": dtype})
    for file in target.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes 0600
    save_tokenizer(spoken, base, target)


def _ends(model: Any, spoken: Spoken) -> None:
    """Tell `generate` where an answer ends, and what fills up a batch."""
    told = model.generation_config
    told.bos_token_id, told.pad_token_id = spoken.bos, spoken.pad
    ends = spoken.ends
    told.eos_token_id = ends[0] if len(ends) == 1 else ends or None
    if any(getattr(told, key, None) is not None for key in ("temperature", "top_p", "top_k")):
        told.do_sample = (
            True  # published ones name a temperature without it, which transformers refuses to write
        )


def save_tokenizer(spoken: Spoken, base: Path, target: Path) -> None:
    """Copy the tokenizer's files from the folder `base`, and put the run's chat template in place of the base's."""
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, target / name)
    config = target / "tokenizer_config.json"
    if config.is_file():
        told = json.loads(config.read_text(encoding="utf-8"))
        if told.pop("chat_template", None) is not None:
            write_json(config, told)
    if spoken.template is not None:
        (target / "chat_template.jinja").write_text(spoken.template, encoding="utf-8")


def copy_legal(base: Path, target: Path) -> list[str]:
    """Copy the licence files that lie in the folder `base`; returns their names."""
    found = sorted({file for pattern in LEGAL for file in base.glob(pattern) if file.is_file()})
    for file in found:
        shutil.copyfile(file, target / file.name)
    return [file.name for file in found]
