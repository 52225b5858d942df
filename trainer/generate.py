"""Answers of the tuned model, and of the base beside it, in the format that the run was trained with.

`text` goes on from a prompt. `chat` and `instruct` wrap it in the template that the run's record keeps, exactly as in training: what is asked is what
stands before an answer there, not what the base model's tokenizer would make of it today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
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
from trainer.seeing.progress import say
from trainer.speaking.decoding import Growing, OnStep, cut, decode
from trainer.speaking.question import Question
from trainer.speaking.sampling import Sampling
from trainer.steps.memory import out_of_memory, release, smaller

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
        form = form_of(record, run.spec)
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

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer together that the base can place; None where its config sets no bound."""
        with self.models.tuned() as model:
            config = model.config.get_text_config()
        found = getattr(config, "max_position_embeddings", None)
        return int(found) if found else None

    def answer(
        self,
        prompt: str,
        *,
        history: Sequence[tuple[str, str]] = (),
        system: str | None = None,
        fields: Mapping[str, str] | None = None,
        base: bool = False,
        on_text: Callable[[str], None] | None = None,
        **sampling: Any,
    ) -> str:
        """What the model says to `prompt`: in format `text` its plain continuation, else the next turn, after exchanges of (said, answered).

        Without `system`, a template gets the recipe's system prompt, filled in with `fields` (`trainer.speaking.question.FIELDS`), if that needs nothing else
        that only a document could say. `sampling` holds `trainer.speaking.sampling.Sampling`'s options; without them the likeliest token is taken each
        time. With `base`, the base model answers. `on_text` hears the answer piece by piece. Raises UserError where there is nothing to answer, or where prompt and answer are too long for the model.
        """
        wanted = Sampling(**sampling)
        asked = self._asked(Question(prompt, tuple(history), system, fields or {}), wanted)
        text_of = self._text_of(wanted)
        growing = Growing(on_text, text_of, wanted.stop) if on_text else None
        hear = (lambda answers: growing.hear(answers[0])) if growing else None
        (tokens,) = self._decoded([asked], wanted, [0], base=base, on_step=hear)
        if growing is None:
            return text_of(tokens)
        growing.tokens = tokens
        return growing.finish()

    def generate(
        self,
        prompts: Iterable[str | Question],
        *,
        base: bool = False,
        batch_size: int = 8,
        occurrences: Sequence[int] | None = None,
        **sampling: Any,
    ) -> Iterator[str]:
        """The answers to `prompts`, in their order, `batch_size` at a time; each is what `answer` says to it alone.

        A prompt that comes again draws anew, by how often it came before (`occurrences` says so where these prompts are part of more).
        Memory that runs out halves the batch. Raises UserError, before anything is answered, for a prompt that cannot be asked.
        """
        wanted = Sampling(**sampling)
        questions = [Question(one) if isinstance(one, str) else one for one in prompts]
        asked = [self._asked(one, wanted, f"prompt {n}: ") for n, one in enumerate(questions, 1)]
        times = list(occurrences) if occurrences is not None else repeats([tuple(ids) for ids in asked])
        text_of, size, start = self._text_of(wanted), max(1, batch_size), 0
        while start < len(asked):
            part = slice(start, start + size)
            answers = self._batch(asked[part], wanted, times[part], base=base)
            if answers is None:
                size = smaller(min(size, len(asked) - start), "answering")
                say(f"memory ran out: answering {size} at a time from here on")
                continue
            yield from map(text_of, answers)
            start += len(answers)

    def fitting(
        self,
        prompt: str,
        history: Sequence[tuple[str, str]],
        system: str | None,
        fields: Mapping[str, str] | None = None,
        *,
        max_new_tokens: int = 200,
    ) -> int:
        """How many of the oldest exchanges have to go so that an answer finds room. Raises UserError where the prompt alone is too long."""
        wanted = Sampling(max_new_tokens=max_new_tokens)
        for gone in range(len(history)):
            ids = self._ids(Question(prompt, tuple(history[gone:]), system, fields or {}))
            if self.context is None or len(ids) + max_new_tokens <= self.context:
                return gone
        self._asked(Question(prompt, (), system, fields or {}), wanted)
        return len(history)

    def _text_of(self, sampling: Sampling) -> Callable[[list[int]], str]:
        def text_of(tokens: list[int]) -> str:
            text = str(
                self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            )
            text = cut(text, sampling.stop)
            return text if self.form is None else text.strip()

        return text_of

    def _batch(
        self, asked: Sequence[list[int]], sampling: Sampling, times: Sequence[int], *, base: bool
    ) -> list[list[int]] | None:
        """One batch; None where memory ran out. The error goes no further: its traceback holds the pass's tensors."""
        try:
            return self._decoded(asked, sampling, times, base=base)
        except Exception as error:
            if not out_of_memory(error):
                raise
        release()
        return None

    def _decoded(
        self,
        asked: Sequence[list[int]],
        sampling: Sampling,
        times: Sequence[int],
        *,
        base: bool,
        on_step: OnStep | None = None,
    ) -> list[list[int]]:
        with self.models.base() if base else self.models.tuned() as model:
            return decode(
                model, self.tokenizer, asked, sampling, ends=self._ends(model), occurrences=times, on_step=on_step
            )  # fmt: skip

    def _ends(self, model: Any) -> list[int]:
        """The tokens that end an answer: the template's end mark, or in plain text whatever the model's own settings name; and the tokenizer's."""
        if self.form is not None and self.form.taken is not None:
            found = {self._encode([Span(self.form.taken.end, control=True)])[-1]}
        else:
            told = model.generation_config.eos_token_id
            found = set(told if isinstance(told, list) else [] if told is None else [told])
        own = self.tokenizer.eos_token_id
        return sorted(found if own is None else {*found, int(own)})

    def _asked(self, question: Question, sampling: Sampling, where: str = "") -> list[int]:
        """The tokens of a question, with room for its answer."""
        ids = self._ids(question, where)
        if self.context is not None and len(ids) + sampling.max_new_tokens > self.context:
            raise UserError(
                f"{where}the prompt has {len(ids):,} tokens with all that stands before it, and the answer may have {sampling.max_new_tokens:,} more, but "
                f"{self.name} reads {self.context:,} at most. Shorten it, or lower --max-new-tokens."
            )
        return ids

    def _ids(self, question: Question, where: str = "") -> list[int]:
        if not question.prompt.strip():
            raise UserError(f"{where}the prompt is empty; the model needs at least a word to go on from.")
        _check_letters(question, where)
        if self.form is None or self.form.taken is None:
            if question.system:
                raise UserError(
                    f"{self.name} was trained on plain text, which has no system turn; leave out --system."
                )
            return list(self.tokenizer(question.prompt, add_special_tokens=False)["input_ids"])
        try:
            spans = self.form.asked(question.prompt, question.history, question.system, question.fields)
        except ValueError as error:
            raise UserError(f"{where}{self.name} cannot be asked this: {error}.") from None
        return self._encode(spans)

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


def form_of(record: RunRecord, name: str) -> Templated | None:
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


def _check_letters(question: Question, where: str) -> None:
    """Raise UserError for half a character: what a terminal, a pipe or a JSON escape leaves of text that is not UTF-8."""
    turns = [text for pair in question.history for text in pair]
    for text in (question.prompt, question.system or "", *turns, *question.fields.values()):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UserError(
                f"{where}{text[error.start : error.end]!a} in {text[:60]!a} is no character: the text was not UTF-8. "
                "Save it as UTF-8, or take that away."
            ) from None


def repeats(keys: Iterable[Hashable]) -> list[int]:
    """How often each was there before.

    >>> repeats(["a", "b", "a"])
    [0, 0, 1]
    """
    seen: Counter[Hashable] = Counter()
    found = []
    for key in keys:
        found.append(seen[key])
        seen[key] += 1
    return found


def chat(run: Run | str, prompt: str, *, root: Path | str = ".", device: str = "auto", **options: Any) -> str:
    """One answer of a run; see `Speaker.answer`."""
    from trainer import runs

    run = run if isinstance(run, Run) else runs.open(run, root=root)
    return Speaker.open(run, device=device).answer(prompt, **options)
