"""How a run's model is spoken to, as an exported model must say it: its chat template, the tokens that end an answer, its system turn.

The template is the run's, not the base's: a recipe may have named another. Templates read tokens by names (bos_token …), and a format may have read them
otherwise than transformers would (the templates that ship write no begin token where the tokenizer writes none), so what differs is
written at the template's head. A character's name, which only gristmill passes on, is written there too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugins.contracts import Span
from plugins.entries import class_of
from plugins.formats.system_prompt import filled
from plugins.formats.templates.model_tokens import NAMES
from schemas.errors import UserError
from trainer.record import RunRecord

if TYPE_CHECKING:
    from plugins.formats.chat import Templated

STRANGE = '{run} was trained with format "{format}", which no chat template and no Modelfile can say. Take it home by itself: --to adapter'


@dataclass(frozen=True)
class Spoken:
    """What an exported model must say of itself; numbers are token ids."""

    form: Templated | None
    """The run's format with its template; None for plain text."""
    template: str | None
    """The chat template, Jinja; for plain text the base model's own, where it has one."""
    bos: int | None
    eos: int | None
    pad: int | None
    unk: int | None
    end: int | None
    """What ends a turn of the model, by the template; None for plain text."""
    marks: tuple[str, ...]
    """The texts of the tokens that end an answer."""

    @property
    def ends(self) -> list[int]:
        """The tokens that end an answer."""
        return sorted({number for number in (self.end, self.eos) if number is not None})

    @property
    def system(self) -> str | None:
        """The recipe's system turn, where it needs nothing that only a document could say."""
        form = self.form
        if form is None or form.prompt is None or form.lacks_system():
            return None
        return filled(form.prompt, {"name": form.speaker() or ""}, lambda _n, _of: 0).strip() or None


def spoken_of(record: RunRecord, tokenizer: Any) -> Spoken:
    """What the record and the base's tokenizer (transformers) say. Raises UserError for a format that cannot be spoken."""
    told = record.tokenizer
    numbers = {role: getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "pad", "unk")}
    if told.format == "text":
        marks = () if tokenizer.eos_token is None else (tokenizer.eos_token,)
        template = tokenizer.chat_template
        if isinstance(template, dict):  # several by names
            template = template.get("default")
        return Spoken(None, template, **numbers, end=None, marks=marks)
    if told.format not in {"chat", "instruct"} or not told.options.get("taken"):
        raise UserError(STRANGE.format(run=record.run, format=told.format))
    form: Any = class_of("format", told.format, None).model_validate(told.options)
    end = tokenizer(form.taken.end, add_special_tokens=False)["input_ids"][-1]
    marks = (tokenizer.convert_ids_to_tokens(end), *((tokenizer.eos_token,) if tokenizer.eos_token else ()))
    return Spoken(form, _pinned(form, tokenizer), **numbers, end=end, marks=tuple(dict.fromkeys(marks)))


def _pinned(form: Templated, tokenizer: Any) -> str:
    """The template's text with what it would read otherwise set at its head."""
    from plugins.formats.chat import CHAR

    taken: Any = form.taken
    values = {
        name: taken.variables.get(name, "")
        for name in NAMES
        if name in taken.text and (getattr(tokenizer, name, None) or "") != taken.variables.get(name, "")
    }
    speaker = form.speaker()
    if speaker and CHAR.fullmatch(speaker) and re.search(r"\bchar\b", taken.text):
        values["char"] = speaker
    head = "".join(f"{{%- set {name} = {json.dumps(value)} -%}}" for name, value in values.items())
    return head + str(taken.text)


def written(spans: list[Span]) -> str:
    """The text of spans."""
    return "".join(span.text for span in spans)
