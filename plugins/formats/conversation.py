"""A document's messages as a conversation between the model and everyone else.

Who is the model is the recipe's to say: the roles as they stand, the last speaker, one of a name, or each speaker in turn. Consecutive
posts on one side become one turn, since nearly all chat templates want the sides to alternate; whoever writes on the other
side is a user, named before their posts where that is asked. White space around a message is not shown. What is decided beyond that:

- A conversation opens with the user. Posts of the model before that (a character's greeting, a thread's first post where the model is its author)
  are read, not learned: they stand in the opening user turn, under the model's name where it has one.
- What follows the last trained turn of the model is left out: nothing would be learned from it.
- A system message at the head is the system turn; one further down is part of the user's turn.
- With each speaker in turn, every post is trained in one conversation, its author's, except the very first; all conversations of a document stay
  with the document, in one split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

BETWEEN_POSTS = "\n\n"
MODEL_ROLES = frozenset({"assistant", "model", "gpt", "bot"})
"""What role the model has in the files of different makers."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one message adds to a turn."""

    text: str
    turn: int
    """The number of the message."""
    trained: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a template is asked to show: an optional system text, then turns of user and model alternating, from user to model."""

    name: str | None
    """Who the model speaks for."""
    others: tuple[str, ...]
    """The names of everyone else, in order of appearance."""
    system: str | None
    """What the document itself says at its head, as system."""
    turns: tuple[tuple[Part, ...], ...]
    """The parts of each turn; the first is the user's, the next the model's, and so on."""

    @property
    def said(self) -> str:
        """What the model is to learn to say."""
        return "\n".join(part.text for turn in self.turns[1::2] for part in turn if part.trained)


@dataclass(frozen=True, slots=True)
class _Post:
    turn: int
    speaker: str
    name: str | None
    role: str
    text: str
    trained: bool


def conversations(
    messages: Sequence[dict[str, Any]], *, model_speaks: str | None, names: bool | None
) -> list[Conversation]:
    """The conversations of a dialogue, at most one a speaker; those without a trained turn are left out.

    `model_speaks` is "last", "each", a name, or None for the roles as they stand; `names` says whether users are named, None: where
    more than two speak. Raises ValueError where nobody is the model.
    """
    posts = list(_posts(messages))
    head = 0
    while head < len(posts) and posts[head].role == "system":
        head += 1
    system = BETWEEN_POSTS.join(post.text for post in posts[:head]) or None
    posts = posts[head:]
    speakers = list(dict.fromkeys(post.speaker for post in posts if post.role != "system"))
    named = len(speakers) > 2 if names is None else names
    found = (
        _conversation(posts, model, system, named=named) for model in _models(posts, speakers, model_speaks)
    )
    return [conversation for conversation in found if conversation is not None]


def _posts(messages: Sequence[dict[str, Any]]) -> Iterator[_Post]:
    """The messages that say something."""
    for turn, message in enumerate(messages):
        text = (message.get("content") or "").strip()
        if text:
            role, name = (
                (message.get("role") or "user").strip().lower(),
                (message.get("name") or "").strip() or None,
            )
            yield _Post(turn, name or role, name, role, text, message.get("train") is not False)


def _models(posts: list[_Post], speakers: list[str], model_speaks: str | None) -> list[set[int]]:
    """For each conversation, the numbers of the messages that are the model's."""

    def of(speaker: str) -> set[int]:
        return {post.turn for post in posts if post.speaker == speaker and post.role != "system"}

    if model_speaks == "each":
        return [of(speaker) for speaker in speakers]
    if model_speaks == "last":
        return [of([post.speaker for post in posts if post.role != "system"][-1])] if speakers else []
    if model_speaks is not None:
        if model_speaks not in speakers:
            raise ValueError(
                f'nobody named "{model_speaks}" speaks; who does: {", ".join(speakers[:8]) or "nobody"}'
            )
        return [of(model_speaks)]
    mine = {post.turn for post in posts if post.role in MODEL_ROLES}
    if not mine:
        roles = sorted({post.role for post in posts})
        raise ValueError(
            f'no message has the role "assistant" (roles: {", ".join(roles) or "none"}): nobody is the model. '
            'Say who is: model_speaks = "last", "each" or a name'
        )
    return [mine]


def _conversation(
    posts: list[_Post], mine: set[int], system: str | None, *, named: bool
) -> Conversation | None:
    """The turns where `mine` are the model's messages; None where none of them could be trained."""
    name = next((post.name for post in posts if post.turn in mine and post.name), None)
    others = tuple(dict.fromkeys(post.name for post in posts if post.turn not in mine and post.name))
    opening = next((n for n, post in enumerate(posts) if post.turn not in mine), len(posts))
    last = max((n for n, post in enumerate(posts) if n > opening and post.turn in mine and post.trained), default=None)  # fmt: skip
    if last is None:
        return None
    turns: list[list[_Post]] = []
    for n, post in enumerate(posts[: last + 1]):
        model = post.turn in mine and n > opening
        if not turns or model != (len(turns) % 2 == 0):
            turns.append([])
        turns[-1].append(post)
    made = tuple(
        tuple(_model_parts(turn)) if n % 2 else tuple(_user_parts(turn, mine, named=named))
        for n, turn in enumerate(turns)
    )
    return Conversation(name, others, system, made)


def _model_parts(posts: list[_Post]) -> Iterator[Part]:
    """Posts of one turn of the model. A gap is trained where what stands on both sides is: else it would lead where nobody trained."""
    for n, post in enumerate(posts):
        yield Part(post.text, post.turn, post.trained)
        if n + 1 < len(posts):
            yield Part(BETWEEN_POSTS, post.turn, post.trained and posts[n + 1].trained)


def _user_parts(posts: list[_Post], mine: set[int], *, named: bool) -> Iterator[Part]:
    """Posts of one turn of the other side. A name stands before the first of consecutive posts of one speaker."""
    for n, post in enumerate(posts):
        fresh = n == 0 or posts[n - 1].speaker != post.speaker
        shown = post.name if fresh and (named or post.turn in mine) and post.role != "system" else None
        gap = BETWEEN_POSTS if n + 1 < len(posts) else ""
        yield Part((f"{shown}: " if shown else "") + post.text + gap, post.turn, trained=False)
