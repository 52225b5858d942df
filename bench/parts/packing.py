"""Packing: useful tokens a second on short documents, packed over not, against what the padding left out promises.

The ideal is places over tokens of the unpacked run: packed rows would be full, and a place would cost the same. It is set for
a model whose places are what costs. A large vocabulary's output layer is computed on trained tokens only, packed or not (TRL's chunked
loss), so its share of the cost gains nothing.
"""

from __future__ import annotations

import shutil
from typing import Any

import pyarrow.parquet as pq

from bench.measure import alternate
from bench.setting import Setting

SHAPE = {
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
}
"""5.8 million numbers, a sixth of them in the vocabulary."""
DOCUMENTS = {"documents": 1200, "mu": 3.2, "sigma": 0.8, "most_words": 80, "longest": 256}
"""Words of a document: log-normal, median exp(3.2) = 25, as chat messages and short posts are."""
WAYS = {
    "packed": {"packing": "true", "batch": 8, "micro": 8},
    "unpacked": {"packing": "false", "batch": 32, "micro": 16},
}
"""Passes of about as many places."""


def run(setting: Setting) -> dict[str, Any]:
    """The same rows in turn; a corpus and a model are made once."""
    home = setting.root / "packing"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    first = min(setting.corpus.glob("*.parquet"))
    texts = pq.read_table(first, columns=["text"])["text"].to_pylist()
    (home / "text.txt").write_text(" ".join(texts)[: 2**22], encoding="utf-8")
    told = {
        "home": str(home),
        "text": str(home / "text.txt"),
        "model": str(home / "model"),
        "shape": SHAPE,
        "max_length": 256,
        "steps": 5,
    }
    contestants = {
        name: setting.own("gristmill_packing.py", cores=1, **told, **DOCUMENTS, **way)
        for name, way in WAYS.items()
    }
    return {"contestants": alternate(contestants, setting.runs)}


def table(figures: dict[str, Any]) -> str:
    """Both ways, and the share of the ideal gain."""
    found = figures["contestants"]
    failed = next((one["error"] for one in found.values() if "error" in one), None)
    if failed:
        return f"Not measured: {failed}"
    plain = found["unpacked"]
    rate = {name: one["useful"] / one["seconds"] for name, one in found.items()}
    gain, ideal = rate["packed"] / rate["unpacked"], plain["places"] / plain["useful"]
    shortest, low, median, high, longest = plain["lengths"]
    about = (
        f"{plain['documents']:,} documents of {shortest} to {longest} tokens: median {median}, mean {plain['mean_length']:.0f}, a tenth below {low}, "
        f"a tenth above {high}. A Llama of {SHAPE['num_hidden_layers']} layers {SHAPE['hidden_size']} wide with random weights, LoRA by PEFT, float32, one thread; "
        f"passes of {WAYS['packed']['micro']} packed rows of 256 tokens, or of {WAYS['unpacked']['micro']} documents padded to the longest of them. "
        "Processor time of all steps but the first."
    )
    lines = [
        about,
        "",
        "| | useful tokens/s | places a useful token | val loss before |",
        "|---|--:|--:|--:|",
        *(
            f"| {name} | {rate[name]:,.0f} | {one['places'] / one['useful']:.2f} | {one['base_loss']:.6f} |"
            for name, one in found.items()
        ),
        "",
        f"Gain **{gain:.2f}**, ideal {ideal:.2f}: **{gain / ideal:.2f}** of it.",
    ]
    return "\n".join(lines)
