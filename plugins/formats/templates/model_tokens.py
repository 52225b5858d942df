"""What a chat template must know of a base model: its special tokens, by the names templates use. Read as JSON; nothing imports transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMES = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


def variables(model: Path) -> dict[str, str]:
    """bos_token, eos_token … as the tokenizer states them; what it does not state is absent, as with transformers."""
    stated = {**_read(model / "special_tokens_map.json"), **_read(model / "tokenizer_config.json")}
    found = {name: text for name in NAMES if (text := _text(stated.get(name)))}
    if "eos_token" not in found and (ends := _end_tokens(model)):
        found["eos_token"] = ends[0]
    return found


def special_tokens(model: Path) -> tuple[str, ...]:
    """Texts that the tokenizer reads as one special token, and those that end a generation; sorted."""
    added = _read(model / "tokenizer.json").get("added_tokens", [])
    special = {entry["content"] for entry in added if entry.get("special")}
    known = {entry["content"] for entry in added} | _vocabulary(model)
    ends = {*_end_tokens(model), *([end] if (end := variables(model).get("eos_token")) else [])}
    return tuple(sorted(special | (ends & known)))


def begin_token(model: Path) -> str:
    """What the tokenizer itself puts before every text, "" where nothing: bos_token alone does not say that it is used."""
    begin = variables(model).get("bos_token", "")
    adds = _read(model / "tokenizer_config.json").get("add_bos_token")
    if adds is None:
        processor = _read(model / "tokenizer.json").get("post_processor")
        adds = bool(begin) and json.dumps(begin) in json.dumps(processor)
    return begin if adds else ""


def _end_tokens(model: Path) -> list[str]:
    """The tokens of `eos_token_id` in generation_config.json, else config.json."""
    for name in ("generation_config.json", "config.json"):
        ids = _read(model / name).get("eos_token_id")
        listed = ids if isinstance(ids, list) else [] if ids is None else [ids]
        if listed:
            texts = {
                entry["id"]: entry["content"]
                for entry in _read(model / "tokenizer.json").get("added_tokens", [])
            }
            return [texts[number] for number in listed if number in texts]
    return []


def _vocabulary(model: Path) -> set[str]:
    vocab = _read(model / "tokenizer.json").get("model", {}).get("vocab", {})
    return set(vocab) if isinstance(vocab, dict) else {entry[0] for entry in vocab}


def _text(token: Any) -> str:
    token = token.get("content") if isinstance(token, dict) else token
    return token if isinstance(token, str) else ""


def _read(path: Path) -> dict[str, Any]:
    from plugins.models import read_json

    return read_json(path)
