"""`gristmill chat`: answers of the tuned model, and of the base beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import NotFound, UserError
from trainer.evaluate import read_model
from trainer.record import find_base, find_corpus
from trainer.runs import Run


@dataclass
class Speaker:
    """A loaded run that answers."""

    model: Any
    tokenizer: Any
    name: str

    @classmethod
    def open(cls, run: Run, *, device: str = "auto") -> Speaker:
        """Load base and adapter. Raises Mismatch where base, tokenizer or corpus are not those of the run."""
        adapter, record = run.adapter, run.record
        if record.tokenizer.format != "text":
            raise UserError(
                f'{run.spec} was trained with format "{record.tokenizer.format}"; this version of chat speaks "text".'
            )
        try:
            find_corpus(record, run.store)
        except NotFound:
            pass  # a corpus may be pruned, or never have been on this machine; an adapter can speak without it
        loaded, _ = read_model(record, find_base(record, run.store), adapter, device)
        return cls(loaded.model, loaded.tokenizer, run.spec)

    def answer(
        self,
        prompt: str,
        *,
        base: bool = False,
        max_new_tokens: int = 200,
        temperature: float = 0.0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        seed: int = 0,
    ) -> str:
        """What the model writes after `prompt`: its plain continuation, as format `text` trains it.

        Temperature 0 takes the likeliest token each time; above it, tokens are drawn with `seed`. With `base`, the adapter is off.
        """
        import torch

        if not prompt:
            raise UserError("the prompt is empty; the model needs at least a word to go on from.")
        device = next(self.model.parameters()).device
        ids = torch.tensor([self.tokenizer(prompt, add_special_tokens=False)["input_ids"]], device=device)
        options: dict[str, Any] = {
            "max_new_tokens": max_new_tokens,
            "repetition_penalty": repetition_penalty,
            "do_sample": temperature > 0,
        }
        if temperature > 0:
            options |= {"temperature": temperature, "top_p": top_p, "top_k": 0}
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            done = self._generate(ids, options, base=base)
        return str(self.tokenizer.decode(done[0, ids.shape[1] :], skip_special_tokens=True))

    def _generate(self, ids: Any, options: dict[str, Any], *, base: bool) -> Any:
        import contextlib

        import torch

        off = self.model.disable_adapter() if base else contextlib.nullcontext()
        with off:
            return self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                pad_token_id=self.tokenizer.pad_token_id,
                **options,
            )


def chat(run: Run | str, prompt: str, *, root: Path | str = ".", device: str = "auto", **options: Any) -> str:
    """One answer of a run; see `Speaker.answer`."""
    from trainer import runs

    run = run if isinstance(run, Run) else runs.open(run, root=root)
    return Speaker.open(run, device=device).answer(prompt, **options)
