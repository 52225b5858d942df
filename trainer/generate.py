"""`gristmill chat`: answers of the tuned model, and of the base beside it, in the format that the run was trained with.

`text` goes on from a prompt. `chat` and `instruct` wrap it in the template that the run's record keeps, exactly as in training: what is asked is what
stands before an answer there, not what the base model's tokenizer would make of it today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins.contracts import Span
from plugins.entries import class_of
from schemas.errors import NotFound, UserError
from trainer.loading import Readable, read_model
from trainer.record import RunRecord, find_base, find_corpus
from trainer.runs import Run

if TYPE_CHECKING:
    from plugins.formats.chat import Templated

SPOKEN = ("text", "chat", "instruct")
"""Formats that can be spoken."""


@dataclass
class Speaker:
    """A loaded run that answers."""

    models: Readable
    name: str
    form: Templated | None = None
    """The run's format with its template; None for plain text."""

    @classmethod
    def open(cls, run: Run, *, device: str = "auto") -> Speaker:
        """Load base and adapter. Raises Mismatch where base, tokenizer or corpus are not those of the run."""
        adapter, record = run.adapter, run.record
        form = _form(record, run.spec)
        try:
            find_corpus(record, run.store)
        except NotFound:
            pass  # a corpus may be pruned, or never have been on this machine; an adapter can speak without it
        return cls(read_model(record, find_base(record, run.store), adapter, device), run.spec, form)

    @property
    def tokenizer(self) -> Any:
        """The base model's."""
        return self.models.tokenizer

    @property
    def remembers(self) -> bool:
        """Whether it was trained on talk that goes on, so that what was said belongs in front of what is asked."""
        return self.form is not None and self.form.name == "chat"

    def answer(
        self,
        prompt: str,
        *,
        history: Sequence[tuple[str, str]] = (),
        system: str | None = None,
        base: bool = False,
        max_new_tokens: int = 200,
        temperature: float = 0.0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        seed: int = 0,
    ) -> str:
        """What the model says to `prompt`: in format `text` its plain continuation, else the next turn, after exchanges of (said, answered).

        Without `system`, a template gets the recipe's system prompt, if that needs nothing that only a document could say. Temperature 0 takes the likeliest token each time; above it, tokens are drawn with `seed`. With `base`, the adapter is off.
        """
        import torch

        if not prompt.strip():
            raise UserError("the prompt is empty; the model needs at least a word to go on from.")
        asked, ends = self._asked(prompt, history, system)
        ids = torch.tensor([asked], device=self.models.device)
        options: dict[str, Any] = {
            **({"eos_token_id": ends} if ends else {}),
            "max_new_tokens": max_new_tokens,
            "repetition_penalty": repetition_penalty,
            "do_sample": temperature > 0,
        }
        if temperature > 0:
            options |= {"temperature": temperature, "top_p": top_p, "top_k": 0}
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            done = self._generate(ids, options, base=base)
        answer = str(
            self.tokenizer.decode(
                done[0, ids.shape[1] :], skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )
        return answer if self.form is None else answer.strip()

    def _asked(
        self, prompt: str, history: Sequence[tuple[str, str]], system: str | None
    ) -> tuple[list[int], list[int]]:
        """The tokens of the prompt, and those that end an answer; of the latter none where the model's own hold."""
        if self.form is None or self.form.taken is None:
            if system:
                raise UserError(
                    f"{self.name} was trained on plain text, which has no system turn; leave out --system."
                )
            return self.tokenizer(prompt, add_special_tokens=False)["input_ids"], []
        try:
            spans = self.form.asked(prompt, history, system)
        except ValueError as error:
            raise UserError(f"{self.name} cannot be asked this: {error}.") from None
        end = self._encode([Span(self.form.taken.end, control=True)])[-1]
        own = self.tokenizer.eos_token_id
        return self._encode(spans), sorted({end} if own is None else {end, int(own)})

    def _encode(self, spans: Sequence[Span]) -> list[int]:
        """Tokens as the corpus has them: of the whole, as each row was encoded, unless somebody's words spell a control token; then run by
        run, so that only what the template writes can become one."""
        special = {index for index, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        whole: list[int] = self.tokenizer("".join(span.text for span in spans), add_special_tokens=False)[
            "input_ids"
        ]
        ids: list[int] = []
        for control, run in groupby(spans, lambda span: span.control):
            text = "".join(span.text for span in run)
            options = {"add_special_tokens": False, "split_special_tokens": not control}
            ids += self.tokenizer(text, **options)["input_ids"]
        seen, spelt = ([index for index in found if index in special] for found in (whole, ids))
        return whole if seen == spelt else ids

    def _generate(self, ids: Any, options: dict[str, Any], *, base: bool) -> Any:
        import torch

        with self.models.base() if base else self.models.tuned() as model:
            return model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                pad_token_id=self.tokenizer.pad_token_id,
                **options,
            )


def _form(record: RunRecord, name: str) -> Templated | None:
    """The format of a run with its template, from the record alone. Raises UserError for one that cannot be spoken."""
    told = record.tokenizer
    if told.format == "text":
        return None
    if told.format not in SPOKEN or not told.options.get("taken"):
        raise UserError(
            f'{name} was trained with format "{told.format}"; chat speaks {", ".join(SPOKEN)}. Ask the adapter with a program that knows the format.'
        )
    form: Templated = class_of("format", told.format, None).model_validate(told.options)  # type: ignore[assignment]
    return form


def chat(run: Run | str, prompt: str, *, root: Path | str = ".", device: str = "auto", **options: Any) -> str:
    """One answer of a run; see `Speaker.answer`."""
    from trainer import runs

    run = run if isinstance(run, Run) else runs.open(run, root=root)
    return Speaker.open(run, device=device).answer(prompt, **options)
