"""A tokenizer as llama.cpp reads it: its tokens with their kinds, its merges or scores, and the name of how it cuts text into words.

llama.cpp has the cutting rules built in and looks them up by a name (`tokenizer.ggml.pre`). Its own converter finds the name by the hash of a test text's
tokens, from a list of published models; a tokenizer that is not on the list cannot be converted. Here the name is read off the
rules in tokenizer.json, so a tokenizer of one's own works as long as its rules are some published model's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UserError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Kinds of token (gguf.TokenType)."""

LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class Vocabulary:
    """What is written under `tokenizer.ggml`."""

    model: str
    """gpt2: byte-level BPE. llama: SentencePiece's."""
    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    scores: tuple[float, ...] | None = None
    space_prefix: bool = False
    """Whether a space is put in front of a text."""


def vocabulary(tokenizer: Path, size: int) -> Vocabulary:
    """The vocabulary in the file `tokenizer`, filled up to the `size` rows of the embeddings.

    Raises UserError where its rules are none that llama.cpp has.
    """
    told = json.loads(tokenizer.read_text(encoding="utf-8"))
    model = told["model"]
    if model.get("type") != "BPE":
        raise _strange(f"it is {model.get('type')}, not BPE")
    if model.get("dropout") or model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise _strange("it has dropout, a subword prefix or a word suffix")
    ids = dict(model["vocab"]) | {entry["content"]: entry["id"] for entry in told.get("added_tokens", ())}
    if len(set(ids.values())) != len(ids) or max(ids.values()) >= size:
        raise UserError(
            f"{tokenizer} has {len(ids)} tokens up to number {max(ids.values())}, and the model {size} rows of embeddings: not every "
            "token has its own. The base model's files do not belong together; fetch it again: gristmill models pull NAME"
        )
    by_id = {number: token for token, number in ids.items()}
    tokens = tuple(by_id.get(n, f"[PAD{n}]") for n in range(size))
    merges = tuple(one if isinstance(one, str) else " ".join(one) for one in model["merges"])
    steps = _steps(told.get("pre_tokenizer"))
    if any(step["type"] == "ByteLevel" for step in steps):
        pre = _pre(steps, told.get("normalizer"), model)
        return Vocabulary("gpt2", pre, tokens, _types(told, tokens, by_id), merges)
    space = _sentencepiece(steps, told.get("normalizer"), model)
    return Vocabulary(
        "llama",
        "default",
        tokens,
        _types(told, tokens, by_id, spm=True),
        merges,
        _scores(tokens, merges),
        space,
    )


def _strange(why: str) -> UserError:
    return UserError(
        f"llama.cpp has no rules for this tokenizer: {why}. It would cut text into other tokens than those the model was trained on. "
        "Type: --converter llama.cpp --llama-cpp FOLDER, whose list of published models is longer; or --to safetensors"
    )


def _steps(pre: dict[str, Any] | None) -> list[dict[str, Any]]:
    """A pre-tokenizer as a flat list of its steps."""
    if not pre:
        return []
    if pre["type"] != "Sequence":
        return [pre]
    return [step for one in pre["pretokenizers"] for step in _steps(one)]


def _pre(steps: list[dict[str, Any]], normalizer: Any, model: dict[str, Any]) -> str:
    """llama.cpp's name for the rules (`src/llama-vocab.cpp`)."""
    *before, last = steps
    if last["type"] != "ByteLevel" or last.get("add_prefix_space"):
        raise _strange("it puts a space in front of a text, or does something after cutting it into bytes")
    plain = not normalizer or normalizer == {"type": "Sequence", "normalizers": []}
    names = {
        ("ByteLevel",): "gpt-2",
        ("Digits", "ByteLevel"): "smollm",
        (LLAMA_3, "ByteLevel"): "llama-bpe",
        (QWEN_2, "ByteLevel"): "qwen2",
    }
    key = tuple(
        step["pattern"].get("Regex", "") if step["type"] == "Split" else step["type"] for step in before
    )
    found = names.get((*key, "ByteLevel"))
    digits = any(step["type"] == "Digits" and not step.get("individual_digits") for step in before)
    if found is None or digits or last.get("use_regex", True) != (found in {"gpt-2", "smollm"}):
        raise _strange(f"it cuts words by {[step['type'] for step in steps]} with rules of its own")
    if not plain and not (found == "qwen2" and normalizer["type"] == "NFC"):
        raise _strange(f"it rewrites text first ({normalizer['type']})")
    if bool(model.get("ignore_merges")) != (found == "llama-bpe"):
        raise _strange(f"ignore_merges is {bool(model.get('ignore_merges'))}, which {found} has not")
    return found


def _sentencepiece(steps: list[dict[str, Any]], normalizer: Any, model: dict[str, Any]) -> bool:
    """Whether a space is put in front, in a tokenizer of SentencePiece's kind: spaces are "▁", unknown characters fall back to bytes."""
    if not model.get("byte_fallback"):
        raise _strange("it is neither byte-level nor falls back to bytes")
    rules = (
        normalizer["normalizers"]
        if normalizer and normalizer["type"] == "Sequence"
        else [normalizer]
        if normalizer
        else []
    )
    for rule in rules:
        spaces = rule["type"] == "Replace" and rule["content"] == "▁" and rule["pattern"] == {"String": " "}
        if not (spaces or rule == {"type": "Prepend", "prepend": "▁"}):
            raise _strange(f"it rewrites text first ({rule['type']})")
    if any(step["type"] != "Metaspace" for step in steps) or not (rules or steps):
        raise _strange(f"it cuts words by {[step['type'] for step in steps]}")
    prepends = any(rule["type"] == "Prepend" for rule in rules)
    return prepends or any(step.get("prepend_scheme", "always") != "never" for step in steps)


def _types(
    told: dict[str, Any], tokens: tuple[str, ...], by_id: dict[int, str], *, spm: bool = False
) -> tuple[int, ...]:
    added = {
        entry["id"]: CONTROL if entry.get("special") else USER_DEFINED
        for entry in told.get("added_tokens", ())
    }
    unknown = told["model"].get("unk_token")

    def kind(n: int, token: str) -> int:
        if n not in by_id:
            return UNUSED
        if spm and token == unknown:
            return UNKNOWN
        if spm and len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            return BYTE
        return added.get(n, NORMAL)

    return tuple(kind(n, token) for n, token in enumerate(tokens))


def _scores(tokens: tuple[str, ...], merges: tuple[str, ...]) -> tuple[float, ...]:
    """SentencePiece joins the pair whose whole has the highest score; the earlier a merge was learned, the higher (Kudo & Richardson 2018)."""
    rank: dict[str, int] = {}
    for n, merge in enumerate(merges):
        rank.setdefault(merge.replace(" ", ""), n)
    return tuple(-float(rank[token] + 1) if token in rank else 0.0 for token in tokens)
