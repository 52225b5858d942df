"""What `tools/gpu_smoke.py` measures on: texts, tokenizer and model made on the spot, and runs with [train] lines of choice.

`import gristmill`'s own functions only, as a user would call them; what must be disturbed (an interrupt, a pass that does not
fit) is done by a hook on the model's forward pass, so that nothing inside the trainer has to be known here.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from smoke_material import RECIPE, Small, make_model, texts_of, toml

Options = dict[str, Any]


class Skipped(Exception):
    """A check that cannot be made here, and why."""


@dataclass
class Bench:
    """One folder, one device, and the runs made so far."""

    root: Path
    device: str
    size: Small
    peak: int = 0
    """Bytes of the GPU that the last run's tensors took at most."""
    _base: Any = field(default=None, init=False)

    # -------------------------------------------------------------------------------------------- material

    def machine(self) -> str:
        """Device and versions."""
        import torch

        names = ("torch", "transformers", "trl", "peft", "unsloth", "bitsandbytes")
        told = ", ".join(f"{name} {_version(name)}" for name in names)
        if self.device == "cpu":
            return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads); {told}"
        card = torch.cuda.get_device_properties(0)
        return f"{card.name}, {card.total_memory / 2**30:.0f} GiB, bfloat16 {torch.cuda.is_bf16_supported()}; {told}"

    def build(self) -> Any:
        """Texts, model and corpus; returns the version."""
        import corpus

        texts = texts_of(self.size)
        (self.root / "texts").mkdir()
        for n, text in enumerate(texts):
            (self.root / "texts" / f"{n}.txt").write_text(text, encoding="utf-8")
        make_model(self.root / "model", texts, self.size)
        return corpus.build(self._recipe({}), root=self.root, workers=1, quiet=True)

    def _recipe(self, options: Options) -> Path:
        """Each set of options is a file of its own; the corpus sections are those of all."""
        size = self.size
        usual = {"backend": "peft", "batch_size": size.batch, "micro_batch_size": size.micro, "max_steps": size.steps,
                 "eval_every": max(2, size.steps // 3), "learning_rate": size.rate, "warmup": 0, "schedule": "constant"}  # fmt: skip
        path = self.root / "recipe.toml"
        lines = [f"{key} = {toml(value)}" for key, value in (usual | options).items()]
        path.write_text(
            RECIPE.format(model=self.root / "model", length=size.length) + "\n".join(lines) + "\n",
            encoding="utf-8",
        )
        return path

    # -------------------------------------------------------------------------------------------- runs

    def train(self, **options: Any) -> Any:
        """One run with these lines in [train]."""
        return self._train(self._recipe(options))

    def _train(self, recipe: Path, *, resume: bool = False) -> Any:
        import gc

        import torch

        import trainer

        gc.collect()
        if self.device != "cpu":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            return trainer.train(recipe, root=self.root, device=self.device, quiet=True, resume=resume)
        finally:
            self.peak = 0 if self.device == "cpu" else torch.cuda.max_memory_allocated()

    def peft(self) -> Any:
        """The run that others are compared with, made once."""
        if self._base is None:
            self._base = self.train()
        return self._base

    def unsloth(self, **options: Any) -> dict[str, Any]:
        """What a run by unsloth gave, in a process of its own: it must be imported before what this one has imported."""
        self.need("unsloth")
        recipe = self._recipe({"backend": "unsloth"} | options)
        line = [
            sys.executable,
            str(Path(__file__).with_name("gpu_smoke.py")),
            "--child",
            str(recipe),
            str(self.root),
            self.device,
        ]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1])
        return json.loads(done.stdout.strip().splitlines()[-1])

    def interrupted(self) -> Any:
        """The usual run, ended by Ctrl-C in the middle and taken up again."""
        from schemas.errors import Interrupted

        passes, half = 0, self.size.steps // 2 * (self.size.batch // self.size.micro)

        def strike(_rows: int) -> None:
            nonlocal passes
            passes += 1
            if passes == half:
                os.kill(os.getpid(), signal.SIGINT)

        recipe = self._recipe({})
        with watched(strike):
            try:
                self._train(recipe)
            except Interrupted:
                return self._train(recipe, resume=True)
        raise AssertionError("Ctrl-C did not end the run")

    def starved(self) -> tuple[Any, list[int], str]:
        """The usual run where the passes it begins with do not fit: run, rows of each pass, and how memory was made to end."""
        seen: list[int] = []
        if self.device != "cpu":
            return self._starved_gpu(seen)
        import torch

        def refuse(rows: int) -> None:
            seen.append(rows)
            if rows > self.size.micro // 2:
                raise torch.OutOfMemoryError("injected by tools/gpu_smoke.py")

        with watched(refuse):
            return self._checked(self.train(), seen), seen, "an injected error"

    def _starved_gpu(self, seen: list[int]) -> tuple[Any, list[int], str]:
        import torch

        peaks = []
        for rows in (self.size.micro, self.size.micro // 2):
            self.train(gradient_checkpointing=False, micro_batch_size=rows, eval_batch_size=1, max_steps=2)
            peaks.append(self.peak)
        total = torch.cuda.get_device_properties(0).total_memory
        limit = (peaks[0] + peaks[1]) // 2
        torch.cuda.set_per_process_memory_fraction(limit / total)
        try:
            with watched(seen.append):
                run = self.train(gradient_checkpointing=False, eval_batch_size=1)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return (
            self._checked(run, seen),
            seen,
            f"{limit / 2**20:,.0f} MiB allowed, between the peaks of {self.size.micro} and {self.size.micro // 2} rows",
        )

    def _checked(self, run: Any, seen: list[int]) -> Any:
        if seen[0] != self.size.micro or seen[-1] >= self.size.micro:
            raise AssertionError(f"passes began with {seen[0]} rows and ended with {seen[-1]}")
        return run

    # -------------------------------------------------------------------------------------------- judgements

    def agree(self, these: list[float], those: list[float], *, exact: bool = False) -> float:
        """The largest difference of two runs' losses. Raises AssertionError where it is more than rounding explains."""
        if len(these) != len(those):
            raise AssertionError(f"{len(these)} losses against {len(those)}")
        found = [abs(one - other) for one, other in zip(these, those, strict=True)]
        allowed = 0.0 if exact else 1e-3 if self.device == "cpu" else 2e-2
        if wrong := [value for value in found if not value <= allowed]:  # so that a NaN is one
            raise AssertionError(f"losses differ by {wrong[0]:.2e}, allowed are {allowed:g}")
        return max(found)

    def learned(self, run: Any) -> str:
        """That val fell, and that what lies on disk has the loss that was recorded."""
        from trainer.data import read_rows
        from trainer.evaluation.measure import measure
        from trainer.loading import read_model
        from trainer.steps import packing

        end, record = run.record.outcome, run.record
        readable = read_model(record, self.root / "model", run.adapter, self.device)
        rows = packing.dataset(
            read_rows(run.store.version(record.corpus), "val"), record.max_length, packing=True
        )
        with readable.tuned() as tuned:
            again = measure(
                tuned, rows, packing.Collator(0), batch_size=self.size.micro, precision=readable.precision
            ).loss
        self.agree([again], [end.val_loss])
        if end.val_loss > end.first_val_loss - 0.05:
            raise AssertionError(
                f"val loss {end.first_val_loss:.4f} -> {end.val_loss:.4f}: nothing was learned"
            )
        return f"val loss {end.first_val_loss:.3f} -> {end.val_loss:.3f} in {end.steps} steps, {again:.3f} read again"

    def estimate(self) -> float:
        """Bytes the preflight of the usual run foretold, without those of libraries, which torch does not count."""
        told = json.loads((self.peft().path / "preflight.json").read_bytes())["memory"]
        return told["total"] - next(part["bytes"] for part in told["parts"] if part["name"] == "libraries")

    def speed(self, run: Any) -> str:
        """Trained tokens a second of a run's median step."""
        return self.speed_of(run.metrics().to_pylist())

    def speed_of(self, rows: list[dict[str, Any]]) -> str:
        """The same from a journal's rows."""
        rates = [
            row["tokens_per_second"] for row in rows if row["kind"] == "train" and row["tokens_per_second"]
        ]
        return f"{statistics.median(rates):,.0f} tokens/s" if rates else "no rate"

    def has(self, name: str) -> bool:
        """Whether a distribution is installed."""
        return find_spec(name) is not None

    def need(self, name: str) -> None:
        """Raise Skipped where it is not."""
        if not self.has(name):
            raise Skipped(f"{name} is not installed")


def losses(run: Any) -> list[float]:
    """Of a run's journal: each step, each evaluation."""
    return [row["loss"] for row in run.metrics().to_pylist()]


@contextmanager
def watched(see: Callable[[int], None]) -> Iterator[None]:
    """Call `see` with the number of rows before every training pass of models loaded meanwhile."""
    from plugins.backends.peft import Peft

    load = Peft.load

    def hooked(self: Any, *args: Any, **more: Any) -> Any:
        loaded = load(self, *args, **more)

        def before(module: Any, _args: Any, inputs: Options) -> None:
            if module.training:
                see(len(inputs["input_ids"]))

        loaded.model.register_forward_pre_hook(before, with_kwargs=True)
        return loaded

    Peft.load = hooked  # type: ignore[method-assign]
    try:
        yield
    finally:
        Peft.load = load  # type: ignore[method-assign]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
