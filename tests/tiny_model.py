"""A model for tests, made on the fly in a second: a two-layer Llama with random weights and a byte-level BPE tokenizer.

from tiny_model import TEXTS, make_tiny_model
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

WORDS = [
    "the",
    "innkeeper",
    "looks",
    "up",
    "from",
    "a",
    "cracked",
    "mug",
    "and",
    "asks",
    "who",
    "let",
    "rain",
    "in",
    "while",
    "dragon",
    "bones",
    "rattle",
    "under",
    "old",
    "stairs",
    "she",
    "draws",
    "her",
    "blade",
    "slowly",
    "because",
    "nobody",
    "pays",
    "for",
    "silence",
    "twice",
    "in",
    "this",
    "town",
    "said",
    "the",
    "miller",
]
TEXTS = tuple(
    " ".join(WORDS[(start + step * stride) % len(WORDS)] for step in range(12 + start % 17)).capitalize()
    + "."
    for start in range(40)
    for stride in (1, 3, 7)
)
"""Enough text for a vocabulary of 300."""
END = "<|end|>"


def make_tokenizer(folder: Path, texts: Sequence[str] = TEXTS, vocab: int = 300) -> Path:
    """Write `tokenizer.json`, `tokenizer_config.json` and `generation_config.json` to `folder`; returns it. No torch needed."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": END,
        "model_max_length": 512,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 0, "pad_token_id": 0}))
    return folder


def make_tiny_model(
    folder: Path, texts: Sequence[str] = TEXTS, vocab: int = 300, *, seed: int = 3, hidden: int = 64
) -> Path:
    """A whole model folder: the tokenizer, `config.json` and `model.safetensors`; returns it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    make_tokenizer(folder, texts, vocab)
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=0,
        bos_token_id=None,
        # No pad_token_id: it would make the end token's embedding, and with it its logit, zero for ever.
        tie_word_embeddings=True,
        # Wide enough that attention matters: with the usual 0.02 a leak between documents would hardly show.
        initializer_range=0.2,
    )
    logging.disable_progress_bar()
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    torch.set_rng_state(state)
    return folder
