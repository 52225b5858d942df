"""Small tokenizers of every kind, trained on a few lines, and documents for them."""

from functools import cache

import pyarrow as pa
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from schemas.tables import MESSAGES, TEXT

FIXTURE = (
    "The innkeeper looks up. Rain runs down the window, and nobody speaks.\n\n"
    "“Who goes there?” she asks; the door is open, the lamp is out.\n"
    "Straße, naïve café, 東京は雨だった。 def run(self):\n    return 42\n"
) * 20
EOS = "<|endoftext|>"


def train(tokenizer: Tokenizer, **settings) -> Tokenizer:
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=[EOS, "<unk>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
        **settings,
    )
    tokenizer.train_from_iterator([FIXTURE], trainer)
    return tokenizer


@cache
def byte_level(normalizer: str = "none") -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer != "none":
        tokenizer.normalizer = {"nfc": normalizers.NFC(), "nfkd": normalizers.NFKD()}[normalizer]
    return train(tokenizer, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


@cache
def nested() -> Tokenizer:
    """As SmolLM2's: the normaliser is an empty sequence, and trims nothing."""
    tokenizer = Tokenizer.from_str(byte_level().to_str())
    tokenizer.normalizer = normalizers.Sequence([])
    return tokenizer


@cache
def metaspace() -> Tokenizer:
    """As SentencePiece models do: a leading "▁", unknown characters fused."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return train(tokenizer)


@cache
def dropping() -> Tokenizer:
    """Loses white space, so its tokens do not spell the text."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s+"), "removed")
    return train(tokenizer)


TOKENIZERS = {
    "byte-level": byte_level,
    "byte-level-nfc": lambda: byte_level("nfc"),
    "byte-level-nfkd": lambda: byte_level("nfkd"),
    "byte-level-nested": nested,
    "metaspace": metaspace,
    "dropping": dropping,
}


def eos(tokenizer: Tokenizer) -> int:
    return tokenizer.token_to_id(EOS)


def documents(*texts: str | None, messages: list | None = None) -> pa.Table:
    ids = [f"d{index}" for index in range(len(texts))]
    said = messages or [None] * len(texts)
    return pa.table({
        "doc_id": pa.array(ids),
        "text": pa.array(texts, TEXT),
        "messages": pa.array(said, MESSAGES),
    })


def whole(tokenizer: Tokenizer, text: str) -> list[int]:
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.encode_special_tokens = True
    return plain.encode(text, add_special_tokens=False).ids
