"""Plain text: the model learns to write the documents themselves.

A document with a text is one span of it, as it stands and trained throughout. One that has only messages is its messages in
order, joined by blank lines, one span a message: the words are the same as in one long span, but a cut can then fall
between two turns and a chunk can say which turns it shows. Roles and names are not written out, since nothing in plain text
tells them from what was said. A message marked `train = false` is read but not trained; an unmarked one is trained.

What was rejected: a title line above the text. It would teach the model a layout the pages did not have.
"""

from __future__ import annotations

from typing import Any, ClassVar

from plugins.contracts import Format, Span

BETWEEN_MESSAGES = "\n\n"
"""What stands between two messages; it belongs to the former one."""


class Text(Format):
    r"""The document's own text, every token of it trained.

    >>> Text().render("Rain fell.", None)
    [Span(text='Rain fell.', trained=True, turn=None)]
    >>> [span.text for span in Text().render(None, [{"content": "Who goes?"}, {"content": "A friend."}])]
    ['Who goes?\n\n', 'A friend.']
    """

    name: ClassVar[str] = "text"

    def render(self, text: str | None, messages: list[dict[str, Any]] | None) -> list[Span]:
        """The text where there is one, else the messages that say something. No spans where neither does."""
        if text and not text.isspace():
            return [Span(text)]
        spoken = [
            (turn, message)
            for turn, message in enumerate(messages or [])
            if (message.get("content") or "").strip()
        ]
        last = len(spoken) - 1
        return [
            Span(
                message["content"] + ("" if place == last else BETWEEN_MESSAGES),
                trained=message.get("train") is not False,
                turn=turn,
            )
            for place, (turn, message) in enumerate(spoken)
        ]
