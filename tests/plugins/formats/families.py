"""Tokenizers and chat templates of five model families, rebuilt: templates of our own writing that produce what the published ones do, and
small tokenizers that have the true special tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tiny_model import TEXTS


@dataclass(frozen=True)
class Family:
    name: str
    specials: tuple[str, ...]
    template: str
    eos: str
    bos: str | None
    end: str
    """What the template writes after a model's turn, up to its end token."""
    lead: str = ""
    system: bool = True
    metaspace: bool = False
    """SentencePiece's way of spaces, as Llama 2, Mistral and Gemma have it."""


QWEN = Family(
    "qwen", ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{%- endif %}\n"
    "{%- for message in messages %}\n"
    "{%- if (message.role == 'user') or (message.role == 'system' and not loop.first) or (message.role == 'assistant' and not message.tool_calls) %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}{%- endif %}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}\n",
    "<|im_end|>", None, "<|im_end|>",
)  # fmt: skip
LLAMA3 = Family(
    "llama-3", ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "<|end_of_text|>", "<|begin_of_text|>", "<|eot_id|>",
)  # fmt: skip
LLAMA2 = Family(
    "llama-2", ("<unk>", "<s>", "</s>"),
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}"
    "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
    "{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "</s>", "<s>", " </s>", " ", metaspace=True,
)  # fmt: skip
GEMMA = Family(
    "gemma", ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"),
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
    "<eos>", "<bos>", "<end_of_turn>", system=False, metaspace=True,
)  # fmt: skip
PHI3 = Family(
    "phi-3", ("<unk>", "<s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"),
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    "<|endoftext|>", "<s>", "<|end|>", metaspace=True,
)  # fmt: skip
FAMILIES = (QWEN, LLAMA3, LLAMA2, GEMMA, PHI3)


def make_family(family: Family, folder: Path) -> Path:
    """Write the family's `tokenizer.json` and `tokenizer_config.json` to `folder`; returns it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    folder.mkdir(parents=True, exist_ok=True)
    if family.metaspace:
        tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        alphabet = []
        tokenizer.decoder = decoders.Sequence([
            decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()
        ])  # fmt: skip
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokens = [*family.specials, *([f"<0x{n:02X}>" for n in range(256)] if family.metaspace else [])]
    trainer = trainers.BpeTrainer(
        vocab_size=len(tokens) + 300, special_tokens=tokens, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tables = json.loads(tokenizer.to_str())
    # The bytes are words of the vocabulary, not special tokens: what spells "<0x0A>" must not be read as one.
    tables["added_tokens"] = [
        entry for entry in tables["added_tokens"] if entry["content"] in family.specials
    ]
    (folder / "tokenizer.json").write_text(json.dumps(tables, ensure_ascii=False), encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": family.eos}
    config |= {"bos_token": family.bos} if family.bos else {}
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": family.template}))
    return folder
