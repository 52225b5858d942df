"""The GGUF converter: shapes, numbers and words that llama.cpp expects, and refusals of what it cannot say."""

import json
from pathlib import Path

import numpy as np
import pytest
from forged_run import forge, make_base
from tiny_model import TEXTS

from schemas.errors import UserError
from trainer.exports.gguf_vocabulary import (
    BYTE,
    CONTROL,
    LLAMA_3,
    QWEN_2,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    vocabulary,
)


def gguf_reader(file: Path):
    import gguf

    return gguf.GGUFReader(file)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Llama", {"head_dim": 32}),
        ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}}),
        ("Llama", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                   "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}),
        ("Mistral", {"sliding_window": 100}),
        ("Qwen2", {}),
    ],
)  # fmt: skip
def test_llama_mistral_and_qwen2_pass_the_golden_check(tmp_path, kind, config):
    base = make_base(tmp_path / "m", kind=kind, template=None, **config)
    done = forge(tmp_path, base).export(tmp_path / "out", to="gguf", quantize="f16", quiet=True)
    reader = gguf_reader(done.path / "model.gguf")
    arch = "qwen2" if kind == "Qwen2" else "llama"
    assert reader.get_field("general.architecture").contents() == arch
    assert reader.get_field(f"{arch}.context_length").contents() == (100 if kind == "Mistral" else 512)
    scaled = {tensor.name: tensor.data for tensor in reader.tensors}.get("rope_freqs.weight")
    if config.get("rope_parameters", {}).get("rope_type") == "llama3":
        from transformers import AutoConfig
        from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

        told = AutoConfig.from_pretrained(base)
        true, _ = ROPE_INIT_FUNCTIONS["llama3"](told, "cpu")
        plain = 1 / 10000.0 ** (np.arange(0, 16, 2) / 16)
        assert scaled == pytest.approx(plain / true.numpy(), rel=1e-5)
    else:
        assert scaled is None


@pytest.mark.parametrize(("quantize", "step"), [("q8_0", 1 / 254), ("q4_0", 1 / 8)])
def test_a_weight_is_within_its_step_of_the_true_one(tmp_path, quantize, step):
    import gguf
    import torch
    from transformers import AutoModelForCausalLM

    from trainer.exports.gguf_tensors import packed

    model = AutoModelForCausalLM.from_pretrained(make_base(tmp_path / "m"), dtype=torch.float32)
    kinds = {}
    for tensor in packed(model, quantize):
        kinds[tensor.name] = tensor.type.name
        if ".ffn_" in tensor.name and len(tensor.shape) == 2:
            true = tensor.weight.numpy().reshape(-1, 32)
            read = gguf.quants.dequantize(tensor.pack(), tensor.type).reshape(-1, 32)
            # Half a step, and the float16 that the step itself is kept in.
            assert (np.abs(read - true) <= np.abs(true).max(1, keepdims=True) * (step + 1 / 1024)).all()
    assert kinds["token_embd.weight"] == "Q8_0", "the head stands at eight bits also at q4_0"
    assert kinds["blk.0.attn_q.weight"] == quantize.upper()
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    assert "output.weight" not in kinds, "a tied head is written once"


def test_what_is_not_known_is_refused_with_what_to_type(tmp_path):
    base = make_base(tmp_path / "m", attention_bias=True)
    run = forge(tmp_path, base)
    with pytest.raises(UserError, match=r"attention_bias.*--converter llama.cpp"):
        run.export(tmp_path / "out", to="gguf", quiet=True)
    other = make_base(tmp_path / "g", kind="Gemma", head_dim=16)
    (tmp_path / "second").mkdir()
    with pytest.raises(UserError, match=r"GemmaForCausalLM cannot.*LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM.*--to safetensors"):  # fmt: skip
        forge(tmp_path / "second", other).export(tmp_path / "out", to="gguf", quiet=True)
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------------------ words

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
CUT = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}


def split(pattern: str) -> dict:
    """Words by a regular expression."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def sequence(*steps: dict) -> dict:
    """One after another."""
    return {"type": "Sequence", "pretokenizers": list(steps)}


def words(folder: Path, pre: dict | None, **model) -> Path:
    """A tokenizer.json of three letters and a merge."""
    told = {
        "added_tokens": [{"id": 0, "content": "<s>", "special": True}, {"id": 5, "content": "<note>", "special": False}],
        "normalizer": model.pop("normalizer", None),
        "pre_tokenizer": pre,
        "model": {"type": "BPE", "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "<0x0A>": 4}, "merges": [["a", "b"]], **model},
    }  # fmt: skip
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize(
    ("pre", "model", "name"),
    [
        (BYTES, {}, "gpt-2"),
        (sequence({"type": "Digits", "individual_digits": True}, BYTES), {}, "smollm"),
        (sequence(split(LLAMA_3), CUT), {"ignore_merges": True}, "llama-bpe"),
        (sequence(split(QWEN_2), CUT), {"normalizer": {"type": "NFC"}}, "qwen2"),
    ],
)
def test_how_words_are_cut_is_read_off_the_rules(tmp_path, pre, model, name):
    made = vocabulary(words(tmp_path, pre, **model), 8)
    assert (made.model, made.pre) == ("gpt2", name)
    assert made.tokens == ("<s>", "a", "b", "ab", "<0x0A>", "<note>", "[PAD6]", "[PAD7]")
    assert made.types == (CONTROL, 1, 1, 1, 1, USER_DEFINED, UNUSED, UNUSED)
    assert made.merges == ("a b",)


@pytest.mark.parametrize(
    ("pre", "model", "why"),
    [
        (sequence(split(r"\w+"), CUT), {}, "rules of its own"),
        (sequence({"type": "Digits", "individual_digits": False}, BYTES), {}, "rules of its own"),
        (sequence(split(LLAMA_3), CUT), {}, "ignore_merges"),
        ({**BYTES, "add_prefix_space": True}, {}, "space in front"),
        (BYTES, {"normalizer": {"type": "Lowercase"}}, "Lowercase"),
        (BYTES, {"type": "Unigram"}, "Unigram, not BPE"),
        (None, {}, "falls back to bytes"),
        (None, {"byte_fallback": True, "normalizer": {"type": "NFKC"}}, "NFKC"),
    ],
)
def test_a_tokenizer_whose_rules_llama_cpp_has_not_is_refused(tmp_path, pre, model, why):
    with pytest.raises(UserError, match=why):
        vocabulary(words(tmp_path, pre, **model), 8)


def test_more_tokens_than_embeddings_are_refused(tmp_path):
    with pytest.raises(UserError, match="not every"):
        vocabulary(words(tmp_path, BYTES), 5)


def test_a_sentencepiece_tokenizer_is_read_by_transformers_as_it_was(tmp_path):
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers

    base = make_base(tmp_path / "m", template=None)
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])  # fmt: skip
    specials = ["<unk>", "<|end|>", *(f"<0x{n:02X}>" for n in range(256))]
    made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=292, special_tokens=specials[:2], show_progress=False))  # fmt: skip
    told = json.loads(made.to_str())
    size = len(told["model"]["vocab"])
    told["model"]["vocab"] |= {token: size + n for n, token in enumerate(specials[2:])}
    (base / "tokenizer.json").write_text(json.dumps(told))
    config = json.loads((base / "config.json").read_text()) | {"vocab_size": size + 256}
    _resize(base, config)
    spoken = json.loads((base / "tokenizer_config.json").read_text()) | {
        "eos_token": "<|end|>",
        "unk_token": "<unk>",
    }
    (base / "tokenizer_config.json").write_text(json.dumps(spoken))
    done = forge(tmp_path, base).export(tmp_path / "out", to="gguf", quantize="f16", quiet=True)
    reader = gguf_reader(done.path / "model.gguf")
    assert reader.get_field("tokenizer.ggml.model").contents() == "llama"
    types = reader.get_field("tokenizer.ggml.token_type").contents()
    assert types[:2] == [UNKNOWN, CONTROL]
    assert types[size:] == [BYTE] * 256
    from transformers import AutoTokenizer

    from trainer.exports.reread import gguf_reading_faults

    ours = AutoTokenizer.from_pretrained(base)
    assert gguf_reading_faults(done.path / "model.gguf", ours, ["The innkeeper", "  two  spaces", "naïve 東京 12", *TEXTS[:9]]) == []  # fmt: skip


def _resize(base: Path, config: dict) -> None:
    """A model of the same shape with more words."""
    from transformers import LlamaConfig, LlamaForCausalLM

    LlamaForCausalLM(LlamaConfig(**{key: value for key, value in config.items() if key != "architectures"})).save_pretrained(base)  # fmt: skip
