"""What a training step needs beside the weights (optimiser, schedule, random numbers), as safetensors and JSON.

transformers writes these with `torch.save`, which is a pickle. Read with `weights_only=True` that is refused nearly everything harmful, but
not by design: the format can name any callable, and the reader's allow-list has had holes (CVE-2025-32434). These two files cannot hold
code: tensors lie in `state.safetensors`, and all else in `state.json`, a tree that refers to them by number. Floats keep every
bit, since JSON has Python's shortest spelling that reads back the same; NaN and infinity are spelt out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.errors import Corruption, GristmillError

TENSORS = "state.safetensors"
TREE = "state.json"


def write_state(folder: Path, state: Any) -> None:
    """Write a tree of dicts, lists, tuples, tensors, arrays, numbers, texts and None to `folder`.

    Raises GristmillError naming the place of anything else.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    tree = _encode(state, "state", tensors)
    save_file(_apart(tensors), folder / TENSORS)
    (folder / TREE).write_text(json.dumps(tree, allow_nan=False), encoding="utf-8")


def read_state(folder: Path) -> Any:
    """What `write_state` wrote, tensors on the CPU. Raises Corruption."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tree = json.loads((folder / TREE).read_text(encoding="utf-8"))
        return _decode(tree, load_file(folder / TENSORS))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise Corruption(
            f"{folder} holds no training state that can be read: {error}. Delete it to go on from the checkpoint before: rm -r {folder}"
        ) from error


def _encode(value: Any, place: str, tensors: dict[str, Any]) -> Any:
    import numpy as np
    import torch

    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = _alone(value)
        return {"tensor": name}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, Mapping):
        pairs = [
            [_encode(key, place, tensors), _encode(inner, f"{place}.{key}", tensors)]
            for key, inner in value.items()
        ]
        return {"dict": pairs}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_encode(inner, f"{place}.{n}", tensors) for n, inner in enumerate(value)]}
    raise GristmillError(
        f"{place} is a {type(value).__name__}, which a checkpoint cannot hold without a pickle, so this run could not be resumed. "
        "Take another optimizer or schedule, or let its state_dict hold tensors, numbers, texts, lists and dicts only."
    )


def _apart(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Each tensor in memory of its own: bitsandbytes keeps one table of quantiles for all weights, and safetensors writes nothing twice."""
    seen: set[int] = set()
    found: dict[str, Any] = {}
    for name, tensor in tensors.items():
        found[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())
    return found


def _alone(tensor: Any) -> Any:
    """The tensor on the CPU in memory of its own: safetensors writes no views."""
    flat = tensor.detach().cpu().contiguous()
    return flat.clone() if flat.untyped_storage().nbytes() != flat.nbytes else flat


def _decode(tree: Any, tensors: Mapping[str, Any]) -> Any:
    import numpy as np

    if not isinstance(tree, dict):
        return tree
    kind = next(iter(tree))
    inner = tree[kind]
    if kind == "float":
        return float(inner)
    if kind == "tensor":
        return tensors[inner]
    if kind == "array":
        return np.array(inner, dtype=tree["dtype"])
    if kind == "dict":
        return {_decode(key, tensors): _decode(item, tensors) for key, item in inner}
    items = [_decode(item, tensors) for item in inner]
    return tuple(items) if kind == "tuple" else items
