"""A model card: what a model was made of, how, how good it is, and how to use it, in the form the Hub reads.

The YAML keys are those of the Hub's model card metadata (huggingface_hub.ModelCardData writes them). Two of them are decisions:
`license` is the base model's, since what is exported holds its weights or is of use on them alone; the licences of the sources are listed in the text, source by
source, because no rule makes one licence of them. `base_model_relation` is adapter, quantized (GGUF below 16 bits) or finetune; the
Hub's "merge" means several models in one, which this is not.

Rejected: asking the Hub to validate the card. It is a request over the network, and a run may be nobody's business.
"""

from __future__ import annotations

import math
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from plugins.models import KNOWN
from schemas.errors import GristmillError
from trainer.exports.licence import CARD, licence_of
from trainer.exports.usage import use
from trainer.record import RunRecord, find_corpus
from trainer.runs import ADAPTER

if TYPE_CHECKING:
    from schemas.manifest import Manifest
    from trainer.runs import Run

PLOT = "losses.png"
HUB_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?")
LIBRARIES = {"adapter": "peft", "safetensors": "transformers", "gguf": "gguf", "ollama": "gguf"}


@dataclass
class Source:
    """One source of the corpus, counted over its kept documents."""

    name: str
    use: str
    pages: int
    documents: int = 0
    tokens: int = 0
    licenses: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)


def write(
    run: Run,
    folder: Path | None = None,
    *,
    to: str = "adapter",
    quantize: str | None = None,
    dtype: str | None = None,
) -> Path:
    """Write the card of a finished run into `folder`, by default the run's own, beside the plot of its losses; returns its path.

    `to`, `quantize` and `dtype` are those of `trainer.export.export`. Where the corpus is no longer on this machine, the card says so. Raises OSError.
    """
    folder = folder or run.path
    record = run.record
    plot = run.path / PLOT
    if plot.is_file() and folder != run.path:
        shutil.copyfile(plot, folder / PLOT)
    manifest, sources = _lineage(run, record)
    base = Path(record.base.path)
    if not base.is_dir():  # moved, which `find_base` allows
        base = run.store.models / record.base.name
    text = _card(
        record,
        base,
        manifest,
        sources,
        to=to,
        quantize=quantize,
        dtype=dtype,
        plot=plot.is_file(),
        own=folder == run.path,
    )
    temporary = folder / f".{CARD}.tmp"
    temporary.write_text(text, encoding="utf-8")
    return temporary.replace(folder / CARD)


def base_name(record: RunRecord) -> str:
    """The base model as the Hub names it; of one that is a folder, the folder's name and not where it lies.

    A recipe may name a folder of this machine, which is nobody else's business.
    """
    name = record.base.name
    if name in KNOWN:
        return KNOWN[name].hub
    return name if HUB_ID.fullmatch(name) and not name.startswith(".") else Path(name).name


def _lineage(run: Run, record: RunRecord) -> tuple[Manifest | None, list[Source]]:
    """The corpus' manifest and its sources; None where it is not here or another."""
    import pyarrow.parquet as pq

    try:
        version = find_corpus(record, run.store)
        manifest = version.manifest()
    except GristmillError:
        return None, []
    found = {one.name: Source(one.name, one.use, one.pages) for one in manifest.sources}
    for file in version.files("documents"):
        for batch in pq.ParquetFile(file).iter_batches(columns=["source", "license", "lang", "n_tokens"]):
            for row in batch.to_pylist():
                source = found.setdefault(row["source"], Source(row["source"], "", 0))
                source.documents += 1
                source.tokens += row["n_tokens"] or 0
                source.licenses[row["license"] or "not stated"] += 1
                if row["lang"]:
                    source.languages[row["lang"]] += 1
    return manifest, list(found.values())


def _card(record: RunRecord, base: Path, manifest: Manifest | None, sources: list[Source], *, to: str, quantize: str | None, dtype: str | None, plot: bool, own: bool) -> str:  # fmt: skip
    from huggingface_hub import ModelCardData

    name = record.run.replace("/", "-")
    data: Any = ModelCardData(
        base_model=base_name(record),
        datasets=[record.corpus.partition("@")[0]],
        language=[code for code, _ in sum((one.languages for one in sources), Counter()).most_common()] or None,
        **cast("dict[str, Any]", licence_of(record, base)),
        pipeline_tag="text-generation",
        library_name=LIBRARIES[to],
        tags=["gristmill", *_tags(record, to)],
        model_name=name,
        eval_results=_results(record),
        base_model_relation="adapter" if to == "adapter" and _method(record) == "lora" else "quantized" if quantize in {"q8_0", "q4_0"} else "finetune",
    )  # fmt: skip
    parts = [
        f"# {name}",
        _what(record, to, quantize, dtype),
        "## How to use it",
        use(record, base_name(record), to, f"/{ADAPTER}" if own else ""),
        "## What it was made of",
        _made_of(record, manifest, sources),
        "## How it was trained",
        _trained(record, plot=plot),
        "## How good it is",
        _good(record),
        "## Limits",
        _limits(record, manifest),
    ]
    return f"---\n{data.to_yaml(line_break=chr(10))}\n---\n\n" + "\n\n".join(parts) + "\n"


def _method(record: RunRecord) -> str:
    return str(record.train.get("method", "lora"))


def _tags(record: RunRecord, to: str) -> list[str]:
    told = ["sft", "lora" if _method(record) == "lora" else "full-fine-tuning", record.tokenizer.format]
    return [*told, *(["ollama"] if to == "ollama" else [])]


def test_losses(record: RunRecord) -> tuple[float, float] | None:
    """Base and tuned loss of the last opening of the test split that was not broken off."""
    done = [one for one in record.openings if one.tuned_loss is not None and one.base_loss is not None]
    return (done[-1].base_loss, done[-1].tuned_loss) if done else None  # type: ignore[return-value]


def _results(record: RunRecord) -> list[Any] | None:
    """What `model-index` says: test where it was opened, else val."""
    from huggingface_hub import EvalResult

    test, end = test_losses(record), record.outcome
    split, loss = ("test", test[1]) if test else ("validation", end.val_loss if end else None)
    if loss is None:
        return None
    name = record.corpus.partition("@")[0]
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=name,
            dataset_name=record.corpus,
            dataset_split=split,
            dataset_revision=record.fingerprint,
            metric_type=kind,
            metric_name=f"{split} {kind}",
            metric_value=round(value, 4),
        )
        for kind, value in (("loss", loss), ("perplexity", _perplexity(loss)))
    ]


def _what(record: RunRecord, to: str, quantize: str | None, dtype: str | None) -> str:
    form = {
        "adapter": "A LoRA adapter" if _method(record) == "lora" else "A model, every weight trained,",
        "safetensors": f"A model, merged and saved in {dtype},",
        "gguf": f"One GGUF file ({quantize})",
        "ollama": f"One GGUF file ({quantize}) with an Ollama Modelfile",
    }[to]
    style = {"text": "goes on with texts", "chat": "answers in dialogues", "instruct": "answers prompts"}
    return (
        f"{form} of {base_name(record)}, trained on {record.corpus}: it {style.get(record.tokenizer.format, 'writes')} as that corpus does. "
        f"Run {record.run} of gristmill. `golden.json`, where it lies beside this card, proves the file against the run."
    )


def _made_of(record: RunRecord, manifest: Manifest | None, sources: list[Source]) -> str:
    lines = [f"Corpus {record.corpus}, fingerprint `{record.fingerprint}`."]
    if manifest is None:
        lines.append("The corpus was not on the machine that wrote this card, so its sources and their licences are not listed; ask whoever built it.")  # fmt: skip
    else:
        lines += [
            "",
            "| source | kind | pages | documents kept | tokens | licences (documents) |",
            "|---|---|---:|---:|---:|---|",
        ]
        for one in sources:
            licenses = ", ".join(f"{_cell(name)} ({count:,})" for name, count in one.licenses.most_common())
            lines.append(f"| {_cell(one.name)} | {_cell(one.use)} | {one.pages:,} | {one.documents:,} | {one.tokens:,} | {licenses or 'none kept'} |")  # fmt: skip
    lines += ["", "| split | documents | rows | tokens |", "|---|---:|---:|---:|"]
    lines += [f"| {split} | {told.documents:,} | {told.chunks:,} | {told.tokens:,} |" for split, told in record.splits.items()]  # fmt: skip
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text that cannot break a table or start markup."""
    return re.sub(r"([|<>`\[\]\\])", r"\\\1", " ".join(text.split()))


def _trained(record: RunRecord, *, plot: bool) -> str:
    told, end = record.train, record.outcome
    lora = told.get("lora", {})
    rows = {
        "method": _method(record),
        "optimizer": _named(told.get("optimizer")),
        "learning rate": told.get("learning_rate"),
        "schedule": _named(told.get("schedule")),
        "batch size": told.get("batch_size"),
        "epochs": None if told.get("max_steps") else told.get("epochs"),
        "steps, at most": told.get("max_steps"),
        "row length": record.max_length,
        "precision": record.precision,
        "seed": record.seed,
        "backend": record.backend,
    }
    if _method(record) == "lora":
        rows["LoRA"] = ", ".join(f"{key} {_named(value)}" for key, value in lora.items() if value not in (None, False))  # fmt: skip
    lines = [*(f"- {key}: {value}" for key, value in rows.items() if value is not None)]
    if end is not None:
        lines.append(f"- {end.steps} steps, {end.trained_tokens:,} trained tokens, {end.seconds / 60:.1f} minutes; ended: {end.stop_reason}")  # fmt: skip
    lines.append("- libraries: " + ", ".join(f"{name} {number}" for name, number in record.libraries.items()))
    return "\n".join(lines) + (f"\n\n![Losses over the steps of the run]({PLOT})" if plot else "")


def _named(value: Any) -> Any:
    return value.get("use", value) if isinstance(value, dict) else "/".join(map(str, value)) if isinstance(value, list) else value  # fmt: skip


def _perplexity(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf  # more is no float


def _good(record: RunRecord) -> str:
    test, end = test_losses(record), record.outcome
    lines = [
        "| split | loss before | loss after | perplexity before | perplexity after |",
        "|---|---:|---:|---:|---:|",
    ]
    for split, pair in (("test", test), ("val", (end.first_val_loss, end.val_loss) if end else None)):
        if pair and pair[0] is not None and pair[1] is not None:
            lines.append(f"| {split} | {pair[0]:.4f} | {pair[1]:.4f} | {_perplexity(pair[0]):.2f} | {_perplexity(pair[1]):.2f} |")  # fmt: skip
    if len(lines) == 2:
        return "Not measured: the run had no val split, and its test split was not opened."
    opened = (
        f" It was opened {len(record.openings)} time{'s' * (len(record.openings) > 1)}."
        if test
        else " It has not been opened; `gristmill eval` does."
    )
    return "\n".join([
        *lines,
        "",
        f"Loss is nats per trained token. The test split was sealed while the run was trained.{opened}",
    ])


def _limits(record: RunRecord, manifest: Manifest | None) -> str:
    leak = ""
    if manifest is not None:
        told = manifest.leakage
        leak = f" Of {told.test_documents} test documents, {told.test_leaking} share more than {told.bound:.0%} of their {told.ngram}-grams with train."
    return (
        f"It has what {base_name(record)} knows and lacks, and the style and errors of its corpus. It was trained on rows of at most {record.max_length} tokens. "
        f"It may repeat passages of its training data word for word.{leak} Whether it may be used for a purpose depends on the licence of the base model and "
        "on those of the sources above, which nobody has judged for you."
    )
