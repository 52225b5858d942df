"""What the smoke test is made of: texts, a tokenizer trained on them, a Llama with random weights, and the recipe over them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiny_model import WORDS, make_tokenizer

RECIPE = """name = "smoke"
[[source]]
use = "files"
path = "texts/*.txt"
[extract]
use = "none"
[dedup]
fuzzy = false
[split]
val = 0.1
test = 0.1
[tokens]
model = "{model}"
max_tokens = {length}
[train]
"""


@dataclass(frozen=True)
class Small:
    """How large everything is; the defaults are for a CPU, in seconds."""

    documents: int = 48
    longest: int = 90
    """Words of a document, at most."""
    vocab: int = 320
    length: int = 128
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    spread: float = 0.2
    """Standard deviation of the weights: wide enough that attention matters."""
    batch: int = 8
    micro: int = 4
    steps: int = 4
    rate: float = 1e-2

    @classmethod
    def for_gpu(cls) -> Small:
        """10 million weights; enough work that tokens a second mean something."""
        return cls(documents=1500, longest=400, vocab=2048, length=512, hidden=384, layers=6, heads=6, spread=0.08, batch=32, micro=16, steps=20, rate=2e-3)  # fmt: skip


def texts_of(size: Small) -> list[str]:
    """Walks over words, each with three that may follow: something to learn, and lengths that differ."""
    draw = random.Random(5)
    words = sorted(set(WORDS))
    after = {word: draw.sample(words, 3) for word in words}
    texts = []
    for _ in range(size.documents):
        word, said = draw.choice(words), []
        for _ in range(draw.randint(8, size.longest)):
            said.append(word)
            word = draw.choice(after[word])
        texts.append(f"{' '.join(said).capitalize()}.")
    return texts


def make_model(folder: Path, texts: list[str], size: Small) -> None:
    """A Llama with random weights, and a tokenizer trained on the texts."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()

    make_tokenizer(folder, texts, size.vocab)
    tokens = len(json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"])
    config = LlamaConfig(
        vocab_size=tokens // 64 * 64 + 64,
        hidden_size=size.hidden,
        intermediate_size=size.hidden * 8 // 3,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads // 2,
        max_position_embeddings=2 * size.length,
        eos_token_id=0,
        bos_token_id=None,
        tie_word_embeddings=True,
        initializer_range=size.spread,
    )
    torch.manual_seed(3)
    LlamaForCausalLM(config).save_pretrained(folder)


def toml(value: Any) -> str:
    """A value as TOML writes it: JSON's own spelling but for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)
