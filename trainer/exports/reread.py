"""What was written, opened again by transformers and gguf-py as a stranger would, and held against what it should say."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from plugins.backends.quiet import quiet
from trainer.exports.gguf_tensors import rope_factors, rope_type
from trainer.exports.go_template import GoFault, render
from trainer.exports.ollama import system_of, template_of
from trainer.exports.spoken import Spoken, written

TALKS: tuple[tuple[list[tuple[str, str]], str, str | None], ...] = (
    ([], "Who goes there?", None),
    ([("Who goes?", "A friend.")], "Come in: {{ .Content }} {% x %} «é»", None),
    ([], "Two\n\nlines", "Be kind.\nBe brief."),
    ([("One", "1"), ("Two", " 2 ")], "Three?", "Count."),
)
"""Conversations that templates are tried with: what was said and answered, what is asked, the system turn."""


def read_folder(folder: Path, device: str) -> tuple[Any, Any]:
    """Model (float32, on `device`) and tokenizer of a folder of safetensors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True)  # fmt: skip
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    return model.to(device).eval(), tokenizer


def read_gguf(file: Path, device: str, config: Any) -> Any:
    """The model of a GGUF file, dequantised to float32. `config` is the merged model's: transformers does not read how a file stretches its
    rotary embedding, so that is taken from there."""
    import contextlib
    import io

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    # Its bar for dequantising heeds no setting.
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        told = AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
        told.rope_parameters = config.rope_parameters
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, config=told, dtype=torch.float32)  # fmt: skip
    return model.to(device).eval()


def folder_faults(folder: Path, tokenizer: Any, ours: Any, spoken: Spoken, texts: Sequence[str]) -> list[str]:
    """What is wrong with the words of a folder; `tokenizer` is read from it, `ours` is the base's."""
    told = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    ends = told.get("eos_token_id")
    ends = sorted(ends if isinstance(ends, list) else [] if ends is None else [ends])
    faults = [] if ends == spoken.ends else [f"generation_config.json ends answers with {ends}, not with {spoken.ends}"]  # fmt: skip
    if tokenizer.get_vocab() != ours.get_vocab():
        faults.append("its vocabulary numbers other words")
    faults += [
        f"its tokenizer reads {text[:40]!r} as other tokens" for text in texts if _ids(tokenizer, text) != _ids(ours, text)
    ][:1]  # fmt: skip
    if spoken.form is not None:
        faults += template_faults(spoken, lambda messages: _jinja(tokenizer, messages, None))
    return faults


def gguf_faults(file: Path, ours: Any, spoken: Spoken, size: int) -> list[str]:
    """What is wrong with the words of a GGUF file, whose model has `size` rows of embeddings; `ours` is the base's tokenizer."""
    import gguf

    reader = gguf.GGUFReader(file)

    def told(key: str) -> Any:
        field = reader.get_field(key)
        return None if field is None else field.contents()

    faults = []
    tokens = told("tokenizer.ggml.tokens") or []
    # By number, because a tokenizer may leave numbers out.
    if any(tokens[n : n + 1] != [word] for word, n in ours.get_vocab().items()) or len(tokens) < size:
        faults.append("its vocabulary numbers other words")
    ends = {told(f"tokenizer.ggml.{key}_token_id") for key in ("eos", "eot")}
    # Where a turn's end mark is not the end token, llama.cpp's own converter names one of the two; which ends an answer is what counts.
    if not {spoken.eos if spoken.end is None else spoken.end} <= ends <= {spoken.eos, spoken.end, None}:
        faults.append(f"it ends answers with the tokens {sorted(ends - {None})}, not with {spoken.ends}")
    if spoken.bos is not None and told("tokenizer.ggml.bos_token_id") != spoken.bos:
        faults.append(f"its begin token is {told('tokenizer.ggml.bos_token_id')}, not {spoken.bos}")
    types = told("tokenizer.ggml.token_type") or []
    faults += [f"the end mark {ours.convert_ids_to_tokens(n)!r} is no control token" for n in spoken.ends if types[n : n + 1] != [3]]  # fmt: skip
    if spoken.form is not None:
        faults += template_faults(spoken, lambda talk: _jinja(ours, talk, told("tokenizer.chat_template") or ""))  # fmt: skip
    return faults


def rotary_faults(file: Path, config: Any) -> list[str]:
    """Whether a GGUF file turns positions as the merged model does: `read_gguf` takes that from `config`, so that what the file says is compared here.

    Only rotary embeddings that the built-in converter writes; what llama.cpp's writes of others is its own affair.
    """
    import gguf
    import numpy as np

    reader, told, kind = gguf.GGUFReader(file), config.rope_parameters, rope_type(config)
    arch = reader.get_field("general.architecture")
    of = {key: reader.get_field(f"{arch.contents() if arch else ''}.rope.{key}") for key in ("freq_base", "scaling.type", "scaling.factor")}  # fmt: skip
    said = {key: field.contents() if field else None for key, field in of.items()}
    faults = []
    # llama.cpp takes 10000 where a file says none.
    if not np.isclose(said["freq_base"] or 10000.0, told["rope_theta"], rtol=1e-4):
        faults.append(f"its rotary base is {said['freq_base']}, not {told['rope_theta']}")
    factors = next((tensor.data for tensor in reader.tensors if tensor.name == "rope_freqs.weight"), None)
    if kind == "llama3" and not (
        factors is not None and np.allclose(factors, rope_factors(config), rtol=1e-3)
    ):
        faults.append("its rotary frequencies are not stretched as the model's are")
    linear = said["scaling.type"] == "linear" and said["scaling.factor"]
    if kind in {"default", "linear", "llama3"} and (linear or 1.0) != (
        told["factor"] if kind == "linear" else 1.0
    ):
        faults.append(f"its positions are stretched {linear or 1.0} times, not as the model's are")
    return faults


def gguf_reading_faults(file: Path, ours: Any, texts: Sequence[str]) -> list[str]:
    """Whether transformers' tokenizer of a GGUF file reads texts as `ours` does. Asked only where it follows the file's rules: transformers
    cuts words by the architecture, whatever `tokenizer.ggml.pre` says, and gives a Qwen2 special tokens of its own."""
    import gguf
    from transformers import AutoTokenizer

    reader = gguf.GGUFReader(file)
    keys = ("general.architecture", "tokenizer.ggml.pre")
    rules = tuple(field.contents() for key in keys if (field := reader.get_field(key)) is not None)
    if rules not in {("llama", "gpt-2"), ("llama", "default")}:
        return []
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    return [
        f"its tokenizer reads {text[:40]!r} as other tokens" for text in texts if _ids(tokenizer, text) != _ids(ours, text)
    ][:1]  # fmt: skip


def modelfile_faults(text: str, spoken: Spoken) -> list[str]:
    """What is wrong with a Modelfile: its template, rendered as Go would, and its stop marks."""
    template = template_of(text)
    faults = [f"its Modelfile has no stop mark {mark!r}" for mark in spoken.marks if f'PARAMETER stop "{mark}"' not in text]  # fmt: skip
    if spoken.form is None:
        return faults if template == "{{ .Prompt }}" else [*faults, "its TEMPLATE is not the bare prompt"]

    def go(messages: list[dict[str, str]]) -> str:
        system = "\n\n".join(one["content"] for one in messages if one["role"] == "system")
        shown = [{"Role": one["role"], "Content": one["content"]} for one in messages]
        return render(template, {"System": system, "Messages": shown})

    usual = system_of(text)
    return faults + template_faults(spoken, go, usual=usual, folds=True)


def template_faults(
    spoken: Spoken,
    show: Callable[[list[dict[str, str]]], str],
    *,
    usual: str | None = None,
    folds: bool = False,
) -> list[str]:
    """Conversations that `show` writes otherwise than the run's format does; at most one is told.

    `usual` is the system turn where none is given, by default the recipe's. A template without system turns gets their text in front of the first
    user turn, unless it `folds` them itself.
    """
    form: Any = spoken.form
    for history, asked, system in TALKS:
        wanted = written(form.asked(asked, history, system))
        first = system or (spoken.system or "" if usual is None else usual)
        said = [text.strip() for pair in history for text in pair] + [asked]
        messages = [
            {"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(said)
        ]
        if first and (form.taken.system or folds):
            messages.insert(0, {"role": "system", "content": first})
        elif first:
            messages[0]["content"] = f"{first}\n\n{messages[0]['content']}"
        try:
            found = show(messages)
        except (GoFault, ValueError, KeyError, TypeError) as error:
            return [f"its template cannot be run: {error}"]
        if found != wanted:
            at = next((n for n, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted)))  # fmt: skip
            return [
                f"its template writes {found[at : at + 40]!r} where the run's writes {wanted[at : at + 40]!r}"
            ]
    return []


def _jinja(tokenizer: Any, messages: list[dict[str, str]], template: str | None) -> str:
    from jinja2 import TemplateError

    try:
        return str(
            tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=True)
        )  # fmt: skip
    except TemplateError as error:
        raise ValueError(str(error)) from error


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
