"""Prompt and completion in a template: an instruction and its answer.

A document's messages up to the model's first are the prompt, what the model says then is the completion; where they go on, the rest is left out
(`chat` trains it). Tables with a column of prompts and one of completions become such messages in their source.
"""

from __future__ import annotations

from typing import Any, ClassVar

from plugins.contracts import Span
from plugins.formats.chat import Templated
from plugins.formats.conversation import Conversation, conversations


class Instruct(Templated):
    """A prompt and its completion in the base model's chat template, or in `alpaca`; only the completion and its end mark are trained."""

    name: ClassVar[str] = "instruct"

    def render(self, text: str | None, messages: list[dict[str, Any]] | None) -> list[Span]:
        """One exchange. Raises ValueError for a document that has none."""
        if not messages:
            raise ValueError(
                "the document has a text and no messages, so what is prompt and what is completion cannot be told; "
                'use format "text", or a source that gives messages'
            )
        found = conversations(messages, model_speaks=None, names=False)
        first = found[0] if found else None
        if first is None or not any(part.trained for part in first.turns[1]):
            raise ValueError("it has no completion: the model says nothing after a prompt")
        return self.spans_of(Conversation(first.name, first.others, first.system, first.turns[:2]))
