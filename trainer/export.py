"""Taking a run home: its adapter, its merged model, one GGUF file, or that with an Ollama Modelfile, each proven to say what the run says.

An export is a folder made whole under a temporary name and renamed: it appears with its proof (`golden.json`) and its card, or not at all. Whatever
fails on the way (a disk that is full, a base that changed, a converter that permutes a head wrongly) leaves nothing behind, and
nothing that was there is touched.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins import models
from schemas.errors import StorageError, TaskFailed, UserError, nearest
from schemas.recipe import Train
from trainer.exports import golden as checks, reread
from trainer.exports.golden import Agreement, Golden, Question
from trainer.exports.spoken import Spoken, spoken_of
from trainer.record import check_adapter, find_base, write_json
from trainer.seeing.progress import say

if TYPE_CHECKING:
    from trainer.runs import Run

FORMS = ("adapter", "safetensors", "gguf", "ollama")
QUANTIZED = ("f16", "q8_0", "q4_0")
CONVERTERS = ("builtin", "llama.cpp")
DTYPES = ("float16", "bfloat16", "float32")
GGUF = "model.gguf"
BYTES = {"float16": 2.0, "bfloat16": 2.0, "float32": 4.0, "f16": 2.0, "q8_0": 1.07, "q4_0": 0.75}
"""Bytes a weight takes on disk, rounded up."""


@dataclass(frozen=True)
class Options:
    """How a run is taken home; what does not apply is None."""

    to: str
    quantize: str | None
    converter: str
    llama_cpp: Path | None
    dtype: str | None


@dataclass(frozen=True)
class Exported:
    """What was made."""

    path: Path
    options: Options
    files: dict[str, int]
    """Names and sizes in bytes."""
    golden: Golden

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.path}: {self.golden.run} as {self.options.to}"
        yield from (f"  {size / 1e6:10.1f} MB  {name}" for name, size in self.files.items())
        for one in self.golden.models:
            held = "" if one.change is None else f", {one.change:.0%} of the run's change held"
            yield (
                f"  {one.what}: {one.answers}/{len(self.golden.prompts)} golden answers token by token, {one.agreement:.1%} of first choices, "
                f"divergence {one.divergence:.2g} nats{held}"
            )

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {"path": str(self.path), "to": self.options.to, "quantize": self.options.quantize, "dtype": self.options.dtype,
                "files": self.files, "golden": self.golden.to_json()}  # fmt: skip


def export(
    run: Run,
    target: Path | str,
    *,
    to: str = "safetensors",
    quantize: str | None = None,
    converter: str = "builtin",
    llama_cpp: Path | str | None = None,
    dtype: str | None = None,
    device: str = "auto",
    quiet: bool = False,
) -> Exported:
    """Write a finished run to the folder `target`, which must be new or empty.

    Raises UserError for options that do not fit and a folder that holds something, NotFound for a run that is not finished, Mismatch where base or
    adapter changed, StorageError where the disk refuses, LedgerError where the golden check fails; then nothing is written.
    """
    from trainer import card

    adapter, record = run.adapter, run.record
    options = _options(to, quantize, converter, llama_cpp, dtype, record)
    base = find_base(record, run.store)
    check_adapter(record, adapter)
    target = Path(target).resolve()  # a link, or ".", cannot be renamed to
    with _stage(target, _bytes(base, adapter, options)) as stage:
        golden = _write(run, adapter, base, stage, options, device, quiet=quiet)
        write_json(stage / "golden.json", golden.to_json())
        card.write(run, stage, to=options.to, quantize=options.quantize, dtype=options.dtype)
    files = {str(file.relative_to(target)): file.stat().st_size for file in sorted(target.rglob("*")) if file.is_file()}  # fmt: skip
    return Exported(target, options, files, golden)


def _options(to: str, quantize: str | None, converter: str, llama_cpp: Path | str | None, dtype: str | None, record: Any) -> Options:  # fmt: skip
    """The options with their defaults. Raises UserError, also for one that would do nothing."""
    for option, value, known in (
        ("--to", to, FORMS),
        ("--quantize", quantize, QUANTIZED),
        ("--converter", converter, CONVERTERS),
        ("--dtype", dtype, DTYPES),
    ):
        if value is not None and value not in known:
            raise UserError(
                f'{option} has no "{value}". {nearest(value, known)} There are: {", ".join(known)}.'
            )
    packed = to in {"gguf", "ollama"}
    if quantize and not packed:
        raise UserError(
            f"--quantize {quantize} is for gguf and ollama, and --to is {to}. Type --to gguf, or leave it out."
        )
    if dtype and to != "safetensors":
        raise UserError(f"--dtype {dtype} is for safetensors, and --to is {to}. " + ("Type --quantize f16 for 16-bit." if packed else "Leave it out."))  # fmt: skip
    if (converter == "llama.cpp" or llama_cpp) and not packed:
        raise UserError(f"--converter is for gguf and ollama, and --to is {to}. Leave it out.")
    if to == "adapter" and Train.model_validate(record.train).method == "full":
        raise UserError(f'{record.run} trained every weight (method = "full"), so it has no adapter to take home. Type --to safetensors')  # fmt: skip
    return Options(
        to,
        (quantize or "q8_0") if packed else None,
        converter,
        Path(llama_cpp) if llama_cpp else None,
        (dtype or "bfloat16") if to == "safetensors" else None,
    )


def _bytes(base: Path, adapter: Path, options: Options) -> int:
    """About how much disk is needed: the result, and, for llama.cpp, the merged folder and a float16 file on the way."""
    if options.to == "adapter":
        return sum(file.stat().st_size for file in adapter.iterdir())
    weights = sum(file.stat().st_size for file in models.weight_files(base)) / _base_width(base)
    kinds = [options.dtype or options.quantize or "f16"]
    kinds += ["f16", "f16"] if options.converter == "llama.cpp" else []
    return int(weights * sum(BYTES[kind] for kind in kinds))


def _base_width(base: Path) -> int:
    told = models.read_json(base / "config.json")
    return 4 if (told.get("dtype") or told.get("torch_dtype")) == "float32" else 2


@contextmanager
def _stage(target: Path, size: int) -> Iterator[Path]:
    """A folder beside `target` that takes its name at the end, if all went well."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(
            f"{target} is there and not empty; an export overwrites nothing. Name a new folder, or empty this one."
        )
    from safetensors import SafetensorError

    stage: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        if free < size:
            raise StorageError(f"{target} needs about {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free there. Make room, or name another place.")  # fmt: skip
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        yield stage
        stage.chmod(0o755)
        for file in stage.rglob("*"):
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        stage.rename(target)
    except SafetensorError as error:
        raise StorageError(f"cannot write {target}: {error}. Nothing is left of it; make room, or name another place.") from error  # fmt: skip
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror or error}. Nothing is left of it; make room, or name another place.") from error  # fmt: skip
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)


def _write(run: Run, adapter: Path, base: Path, stage: Path, options: Options, device: str, *, quiet: bool) -> Golden:  # fmt: skip
    """The export's files in `stage`, proven."""
    from trainer.exports.adapter import copy_adapter
    from trainer.exports.merge import copy_legal, merged
    from trainer.exports.questions import questions
    from trainer.loading import read_model

    record = run.record
    whole = {**record.train, "precision": "float32", "quantization": "none"}
    loaded = read_model(record.model_copy(update={"train": whole}), base, adapter, device)
    spoken, ours = spoken_of(record, loaded.tokenizer), loaded.tokenizer
    say(f"{run.spec}: asking it the golden prompts", quiet=quiet)
    with loaded.tuned() as tuned:
        asked = [checks.answered(tuned, one, spoken.ends, spoken.pad) for one in questions(record, run.store, spoken, ours)]  # fmt: skip
        truth = [checks.logits_of(tuned, one) for one in asked]
    with loaded.base() as plain:
        before = checks.compare("base", plain, asked, truth)
    golden = Golden(run.spec, [_shown(one, ours) for one in asked], [before])
    copy_legal(base, stage)
    if options.to == "adapter":
        copy_adapter(record, adapter, stage)
        golden.checked.append("the adapter's weights are the run's, byte for byte")
        return golden
    with loaded.tuned() as tuned:
        try:
            model = merged(tuned)
        except ValueError as error:
            raise TaskFailed(f"{run.spec} cannot be merged: {error}. Take the adapter home by itself: --to adapter") from error  # fmt: skip
    _hold(golden, checks.compare("merged", model, asked, truth), run)
    say(f"merged; writing {options.dtype or options.quantize}", quiet=quiet)
    texts = [ours.decode([*one.prompt, *one.answer]) for one in asked]
    found, words = _convert(run, model, spoken, base, stage, options, ours, texts, loaded.device)
    seen = checks.compare(options.dtype or options.quantize or "", found, asked, truth)
    seen.change, seen.change_error = checks.change_held(found, model, _weights(base))
    checks.require("exported", words, run.spec)
    _hold(golden, seen, run, before)
    golden.checked += ["vocabulary", "tokens of all golden texts", "end tokens", *(["chat template"] if spoken.form else [])]  # fmt: skip
    golden.bounds = vars(checks.BOUNDS[seen.what])
    return golden


def _convert(run: Run, model: Any, spoken: Spoken, base: Path, stage: Path, options: Options, ours: Any, texts: list[str], device: str) -> tuple[Any, list[str]]:  # fmt: skip
    """Write the model, and read it again: the model that is in the file, and what is wrong with its words."""
    from trainer.exports.merge import save_merged

    if options.to == "safetensors":
        save_merged(model, spoken, base, stage, dtype=options.dtype or "bfloat16")
        found, tokenizer = reread.read_folder(stage, device)
        return found, reread.folder_faults(stage, tokenizer, ours, spoken, texts)
    file = stage / GGUF
    _write_gguf(run, model, spoken, base, file, options)
    words = reread.gguf_faults(file, ours, spoken, model.get_input_embeddings().weight.shape[0])
    words += reread.gguf_reading_faults(file, ours, texts) + reread.rotary_faults(file, model.config)
    if options.to == "ollama":
        from trainer.exports.ollama import modelfile

        (stage / "Modelfile").write_text(
            modelfile(spoken, run.record, model.config, file=GGUF), encoding="utf-8"
        )
        words += reread.modelfile_faults((stage / "Modelfile").read_text(encoding="utf-8"), spoken)
    return reread.read_gguf(file, device, model.config), words


def _write_gguf(run: Run, model: Any, spoken: Spoken, base: Path, file: Path, options: Options) -> None:
    quantize = options.quantize or "q8_0"
    if options.converter == "builtin":
        from trainer.exports.gguf import write_gguf
        from trainer.exports.licence import licence_of

        name = f"{run.record.base.name} {run.spec}"
        told = licence_of(run.record, base)
        license_name = told.get("license_name", told["license"])
        write_gguf(model, spoken, models.tokenizer_path(base), file, quantize=quantize, name=name, license_name=None if license_name == "not-stated" else license_name)  # fmt: skip
        return
    from trainer.exports.llama_cpp import LlamaCpp
    from trainer.exports.merge import save_merged

    tools = LlamaCpp.find(options.llama_cpp, quantize)
    folder = file.parent / ".merged"
    save_merged(model, spoken, base, folder, dtype="float16")
    if spoken.form is not None:
        # The script knows one end token, and takes the tokenizer's word for it.
        told = models.read_json(folder / "tokenizer_config.json")
        write_json(folder / "tokenizer_config.json", {**told, "eos_token": spoken.marks[0]})
    tools.write(folder, file, quantize)
    shutil.rmtree(folder)


def _hold(golden: Golden, found: Agreement, run: Run, base: Agreement | None = None) -> None:
    """Add to the proof, or fail."""
    golden.models.append(found)
    checks.require(found.what, checks.faults(found, len(golden.prompts), base=base), run.spec)


def _shown(one: Question, tokenizer: Any) -> dict[str, Any]:
    return {"source": one.source, "prompt": tokenizer.decode(one.prompt), "answer": tokenizer.decode(one.answer),
            "prompt_ids": list(one.prompt), "answer_ids": list(one.answer)}  # fmt: skip


def _weights(base: Path) -> Iterator[tuple[str, Any]]:
    """The base's tensors, one at a time."""
    from safetensors import safe_open

    for file in models.weight_files(base):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  it is no dict
                yield name, tensors.get_tensor(name)
