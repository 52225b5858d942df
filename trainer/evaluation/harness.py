"""lm-evaluation-harness on a run: public tasks, and the run's own test split as a task of it.

The harness is called as its users call it, `lm_eval run --config FILE`, in a process of its own: for the base, and for the tuned model over it. So what ran
can be read and run again, without gristmill, and its libraries meet ours nowhere. Importing its Python functions was rejected: they move between releases
(0.4.9 to 0.4.13 renamed the command line twice and kept `--config`).

Everything lies in the run's folder under `harness/<n>/`: the two configs, and for each the log, the results and every sample. The files of the own task hold the text of the test
split, which is why asking for it is an opening (law 9). Tasks that gristmill does not write fetch their data sets from the model hub.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from schemas.errors import GristmillError, NotFound, missing_extra
from schemas.recipe import Train
from schemas.store import VersionPath
from trainer.evaluation.blocks import blocks
from trainer.evaluation.evaluations import write_text
from trainer.evaluation.origins import origins_of
from trainer.record import RunRecord, write_json
from trainer.runs import Run
from trainer.seeing.progress import say

OWN = "test"
"""The name that asks for the run's own test split."""
FOLDER = "harness"


@dataclass(frozen=True)
class Scores:
    """What the harness said."""

    folder: str
    """Where its configs, results and samples lie."""
    limit: int | None
    base: dict[str, dict[str, Any]]
    """Task → metric → value, as the harness names them ("byte_perplexity,none")."""
    tuned: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people: every number that both have."""
        few = f", on {self.limit} items of each, which is a trial and no result" if self.limit else ""
        yield f"lm-evaluation-harness{few}; samples in {self.folder}"
        for task, metrics in self.tuned.items():
            for metric, value in metrics.items():
                before = self.base.get(task, {}).get(metric)
                if (
                    isinstance(value, int | float)
                    and isinstance(before, int | float)
                    and "_stderr" not in metric
                ):
                    yield f"  {task} {metric.partition(',')[0]}: base {before:.4f}, tuned {value:.4f}"


def need() -> None:
    """Raise MissingExtra where the harness is not installed."""
    if find_spec("lm_eval") is None:
        raise missing_extra("eval-harness", "lm-evaluation-harness (lm_eval not installed)")


def command(config: Path) -> list[str]:
    """The line that runs a config, as a user would type it."""
    return [sys.executable, "-m", "lm_eval", "run", "--config", str(config)]


def configs(
    run: Run,
    record: RunRecord,
    model: Path,
    tasks: Sequence[str],
    folder: Path,
    *,
    limit: int | None,
    device: str,
) -> dict[str, dict[str, Any]]:
    """What the harness is told, for "base" and "tuned"."""
    train = Train.model_validate(record.train)
    args: dict[str, Any] = {"pretrained": str(model.resolve()), "dtype": record.precision}
    if train.quantization == "4bit" and device.startswith("cuda"):
        args["load_in_4bit"] = True
    saved = str(run.adapter.resolve())
    tuned = (
        {**args, "pretrained": saved, "tokenizer": args["pretrained"]}
        if train.method == "full"
        else {**args, "peft": saved}
    )
    shared = {
        "model": "hf",
        "tasks": [own_name(record) if task == OWN else task for task in tasks],
        "include_path": str(folder.resolve()),
        "batch_size": train.eval_batch_size or train.micro_batch_size,
        "device": device,
        "log_samples": True,
        **({"limit": limit} if limit else {}),
    }
    return {
        name: {**shared, "model_args": given, "output_path": str((folder / name / "results.json").resolve())}
        for name, given in (("base", args), ("tuned", tuned))
    }


def own_name(record: RunRecord) -> str:
    """The task of a run's own test split.

    A dot or a slash would be a path to the harness.
    """
    return "gristmill_" + "".join(letter if letter.isalnum() else "_" for letter in record.corpus) + "_test"


def write_own_task(record: RunRecord, version: VersionPath, tokenizer: Any, folder: Path) -> None:
    """The test split as a task: `test.jsonl`, a chunk a line as text with its document, and the YAML that scores all of its tokens.

    In dialogue that counts what the user says too, which `gristmill eval`'s own loss does not; and the first token of a row, after an end-of-text
    token. So the numbers compare base and tuned, and models among each other, not with that loss.
    """
    lines = []
    for block in blocks(version, "test"):
        origins = origins_of(version, "test", block.documents)
        for n, (chunk, document) in enumerate(zip(block.chunks, block.documents, strict=True)):
            ids = block.ids[block.starts[n] : block.starts[n + 1]].tolist()
            text = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            row = {"chunk_id": chunk, "doc_id": document, "source": origins[document].source, "text": text}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_text(folder / "test.jsonl", "".join(lines))
    metrics = ("word_perplexity", "byte_perplexity", "bits_per_byte")
    task = {
        "task": own_name(record),
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str((folder / "test.jsonl").resolve())}},
        "test_split": "test",
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": metric} for metric in metrics],
        "metadata": {"version": 1.0},
    }
    write_json(folder / "test.yaml", task)  # JSON is YAML


def run_tasks(
    run: Run,
    record: RunRecord,
    model: Path,
    version: VersionPath,
    tasks: Sequence[str],
    *,
    limit: int | None,
    device: str,
    quiet: bool,
) -> Scores:
    """Run `tasks` for base and tuned. Raises GristmillError with the end of its log where the harness fails."""
    folder = _new_folder(run)
    if OWN in tasks:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False, local_files_only=True)
        write_own_task(record, version, tokenizer, folder)
    found = {}
    for name, config in configs(run, record, model, tasks, folder, limit=limit, device=device).items():
        path = folder / f"{name}.yaml"
        write_json(path, config)  # JSON is YAML
        say(f"lm-evaluation-harness on {name}: {', '.join(config['tasks'])}", quiet=quiet)
        _call(path, folder / f"{name}.log")
        found[name] = read_results(folder, name)
    return Scores(str(folder), limit, found["base"], found["tuned"])


def _new_folder(run: Run) -> Path:
    folder = run.path / FOLDER
    folder.mkdir(exist_ok=True)
    number = max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0) + 1
    while True:
        try:
            (folder / str(number)).mkdir()
        except FileExistsError:
            number += 1  # another process took it
            continue
        return folder / str(number)


def _call(config: Path, log: Path) -> None:
    with log.open("w", encoding="utf-8") as file:
        # From another folder `lm_eval` would find what lies there under the names of its imports.
        done = subprocess.run(
            command(config),
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
    if done.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        raise GristmillError(
            f"lm-evaluation-harness ended with {done.returncode}: {' / '.join(last) or 'it said nothing'}. The whole of it is in {log}; "
            f"to see it again, type: {' '.join(command(config))}"
        )


def read_results(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The newest results of `name`. Raises NotFound where there are none."""
    paths = sorted((folder / name).glob("results_*.json"))
    if not paths:
        raise NotFound(
            f"lm-evaluation-harness left no results in {folder}; what it said is in {folder / f'{name}.log'}."
        )
    results: dict[str, dict[str, Any]] = json.loads(paths[-1].read_text(encoding="utf-8"))["results"]
    return {
        task: {metric: value for metric, value in metrics.items() if metric not in {"alias", "sample_len"}}
        for task, metrics in results.items()
    }
