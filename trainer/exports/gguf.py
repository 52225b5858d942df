"""A merged model as one GGUF file, by gguf-py: what `--converter builtin` is.

Weights come from the model in float32, so that they are rounded once. The file says all that llama.cpp and Ollama need: shapes, rotary embedding,
vocabulary, which tokens end an answer, chat template, licence. `add_bos_token` is false: what a template writes at the head of a
conversation stands in the template, and rows of plain text had nothing there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.errors import missing_extra
from trainer.exports.gguf_tensors import architecture_of, head_dim, packed, rope_type
from trainer.exports.gguf_vocabulary import CONTROL, Vocabulary, vocabulary
from trainer.exports.spoken import Spoken

FILE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 7}
"""gguf.LlamaFileType."""


def write_gguf(model: Any, spoken: Spoken, tokenizer: Path, target: Path, *, quantize: str, name: str, license_name: str | None) -> None:  # fmt: skip
    """Write `model` (transformers, float32) to the file `target`; `tokenizer` is its tokenizer.json.

    Raises UserError for a model or tokenizer that this converter does not know, MissingExtra without gguf, OSError where the disk refuses.
    """
    try:
        import gguf
    except ImportError:
        raise missing_extra("train", "writing GGUF (gguf not installed)") from None
    kind = architecture_of(model.config)
    words = vocabulary(tokenizer, model.get_input_embeddings().weight.shape[0])
    tensors = list(packed(model, quantize))
    writer = gguf.GGUFWriter(target, kind.name)
    try:
        writer.add_type(gguf.GGUFType.MODEL)
        writer.add_name(name)
        if license_name:
            writer.add_license(license_name)
        writer.add_file_type(FILE_TYPES[quantize])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _shapes(writer, model.config)
        _words(writer, words, spoken)
        for tensor in tensors:
            packs = tensor.type not in {gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16}
            dtype = "float32" if tensor.type == gguf.GGMLQuantizationType.F32 else "float16"
            _announce(writer, tensor, dtype="uint8" if packs else dtype)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in tensors:
            writer.write_tensor_data(tensor.pack())
    finally:
        writer.close()


def _announce(writer: Any, tensor: Any, *, dtype: str) -> None:
    """Shape and place of a tensor whose bytes come later."""
    import gguf
    import numpy as np

    if dtype != "uint8":
        size = int(np.prod(tensor.shape)) * np.dtype(dtype).itemsize
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(dtype), size)
        return
    shape = gguf.quant_shape_to_byte_shape(tensor.shape, tensor.type)
    writer.add_tensor_info(tensor.name, shape, np.dtype(np.uint8), int(np.prod(shape)), raw_dtype=tensor.type)


def _shapes(writer: Any, config: Any) -> None:
    """What the graph is built by."""
    import gguf

    heads, dim = int(config.num_attention_heads), head_dim(config)
    writer.add_context_length(context_length(config))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(dim)
    if dim * heads != config.hidden_size:
        writer.add_key_length(dim)
        writer.add_value_length(dim)
    told = config.rope_parameters
    writer.add_rope_freq_base(float(told["rope_theta"]))
    if rope_type(config) == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(told["factor"]))


def context_length(config: Any) -> int:
    """Tokens the model can look back over. llama.cpp's llama has no sliding window, so a Mistral with one is as long as its window."""
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return int(min(config.max_position_embeddings, window or config.max_position_embeddings))


def _words(writer: Any, words: Vocabulary, spoken: Spoken) -> None:
    writer.add_tokenizer_model(words.model)
    writer.add_tokenizer_pre(words.pre)
    writer.add_token_list(words.tokens)
    # What ends an answer is a control token, whatever the tokenizer's file calls it: others are shown, and split in a text.
    writer.add_token_types([CONTROL if n in spoken.ends else kind for n, kind in enumerate(words.types)])
    writer.add_token_merges(words.merges)
    if words.scores is not None:
        writer.add_token_scores(words.scores)
        writer.add_add_space_prefix(words.space_prefix)
    # A model without one gets its end token, as GPT-2 has it: it is never put anywhere, but transformers cannot read a file that has none.
    begin = spoken.eos if spoken.bos is None else spoken.bos
    for number, add in (
        (begin, writer.add_bos_token_id),
        (spoken.eos, writer.add_eos_token_id),
        (spoken.pad, writer.add_pad_token_id),
        (spoken.unk, writer.add_unk_token_id),
    ):
        if number is not None:
            add(number)
    if spoken.end is not None and spoken.end != spoken.eos:
        writer.add_eot_token_id(spoken.end)
    writer.add_add_bos_token(value=False)
    writer.add_add_eos_token(value=False)
    if spoken.template is not None:
        writer.add_chat_template(spoken.template)
