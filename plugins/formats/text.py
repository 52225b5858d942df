"""Plain text: the model learns to write the documents themselves.

A dialogue is its messages in order, joined by blank lines, one span a message: the words are those of the document's text, but a cut can
fall between two turns, a chunk can say which turns it shows, and a message marked `train = false` is read and not trained. Roles and names
are not written out, since nothing in plain text tells them from what was said; a message that says nothing is passed over. A document without
messages is one span of its text, as it stands and trained throughout.

What was rejected: a title line above the text. It would teach the model a layout the pages did not have.
"""

from __future__ import annotations

from typing import Any, ClassVar

from plugins.contracts import Format, Span

BETWEEN_MESSAGES = "\n\n"
"""What stands between two messages; it belongs to the former one."""


class Text(Format):
    r"""The document's own text, every token of it trained but those of messages marked as not to train.

    >>> [span.text for span in Text().render("Rain fell.", None)]
    ['Rain fell.']
    >>> [span.text for span in Text().render(None, [{"content": "Who goes?"}, {"content": "A friend."}])]
    ['Who goes?\n\n', 'A friend.']
    """

    name: ClassVar[str] = "text"

    def render(self, text: str | None, messages: list[dict[str, Any]] | None) -> list[Span]:
        """The messages that say something, where there are any, else the text. No spans where neither does."""
        spoken = [
            (turn, message)
            for turn, message in enumerate(messages or [])
            if (message.get("content") or "").strip()
        ]
        if not spoken:
            return [Span(text)] if text and not text.isspace() else []
        last = len(spoken) - 1
        return [
            Span(
                message["content"] + ("" if place == last else BETWEEN_MESSAGES),
                trained=message.get("train") is not False,
                turn=turn,
            )
            for place, (turn, message) in enumerate(spoken)
        ]
