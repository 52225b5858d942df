"""Out-of-character talk, labelled by reading: what the writer says as themselves, not as a character or the narrator.

`ooc.json` points at 477 texts that lie elsewhere, `roleplay_posts.jsonl` holds 160 posts of invented role-play threads.

How: one reader (a language model), one pass, no second opinion, before any cleaner existed. Each text was read in full, CRD3 and the
demo in their threads, WCXB posts by themselves. Scripts showed candidates and stored spans; none decided a label. Half of all items,
by the first byte of sha256 of the id (even: "aside"), is kept for one scoring at the very end; "dev" is for a cleaner's author.

What counts: asides to other players, scheduling, apologies for length, talk about the game, the thread, the forum or the post
itself ("Edit: typos"), content warnings, dice and their results, signatures and tags; with their brackets and markers, without the
line breaks or rules ("---") around them. `whole` where nothing else is in the text; then `spans` is empty.
What does not: parentheses, letters, chat logs, radio talk, telepathy, in-world forums and rules, if a character or the narrator speaks.

- `crd3`: spoken table talk, whole turns, 8 runs of 25. In play are speech in character, narration, a player saying what the
  character does, and questions and answers about the scene ("How many are there?"). Table talk are dice, damage, rules, prompts, jokes
  among players. A turn of both is in play. Utterances of a turn are joined by a blank.
- `wcxb`: ordinary forums, `Forum().parse` with default options. Here the author's usual voice is in character, "Edit:" with news on the
  topic too, and talk of forums where they are the topic. Of 128 posts (69
  threads) 30 were picked by eye among those with "thread", "sorry", "edit" and the like, 38 by lot among those with such words or
  brackets, 60 by lot among all: the rate of asides is no estimate for forums.
- `demo`: every post of recipes/demo/site but for the copied threads, of which only the two with an aside are in.
- `roleplay`: our own text, 17 voices, 8 genres; 92 have asides, the others many look-alikes.

Unsure ones (a fair reader might say otherwise) are left out unless asked for.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from bench.extraction_quality import DATA
from plugins.extractors.encoding import decode
from plugins.scrapers.forum import Forum

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / "recipes/demo/site/threads"


class Label(NamedTuple):
    """A text and what of it is out of character; offsets are of characters, end excluded."""

    id: str
    kind: str
    half: str
    text: str
    spans: list[tuple[int, int]]
    whole: bool


def labels(half: str | None = None, *, unsure: bool = False, data: Path = DATA) -> Iterator[Label]:
    """All labels, or those of one half ("dev", "aside").

    Raises:
        FileNotFoundError: where the shared data are absent.
        ValueError: where a text is no longer the one that was labelled.
    """
    for row in json.loads((HERE / "ooc.json").read_text(encoding="utf-8")):
        if half in {None, row["half"]} and (unsure or not row["unsure"]):
            text = text_of(row["kind"], row["file"], row["post"], data)
            check(row["id"], text, row["text_sha"])
            yield _label(row, row["kind"], text)
    for line in (HERE / "roleplay_posts.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if half in {None, row["half"]}:
            yield _label(row, "roleplay", row["text"])


def text_of(kind: str, file: str, post: int, data: Path = DATA) -> str:
    """The text that a label points at: turn or post number `post`, from 0, of a file."""
    texts = _turns(data / file) if kind == "crd3" else _posts(DEMO / file if kind == "demo" else data / file)
    if post >= len(texts):
        raise ValueError(
            f"{file} has {len(texts)} texts, the label is of number {post}: its parser has moved, label it anew"
        )
    return texts[post]


def check(identity: str, text: str, expected: str) -> None:
    """Raise ValueError where the text's hash is another than when it was labelled."""
    found = sha256(text.encode()).hexdigest()[:16]
    if found != expected:
        raise ValueError(
            f"{identity}: its text has moved (sha256 {found}, labelled {expected}), so the spans no longer fit: label it anew"
        )


def _label(row: dict[str, Any], kind: str, text: str) -> Label:
    return Label(row["id"], kind, row["half"], text, [(s, e) for s, e in row["spans"]], row["whole"])


@lru_cache(maxsize=8)
def _turns(path: Path) -> tuple[str, ...]:
    turns = json.loads(path.read_text(encoding="utf-8"))["TURNS"]
    return tuple(" ".join(turn["UTTERANCES"]) for turn in turns)


@lru_cache(maxsize=8)
def _posts(path: Path) -> tuple[str, ...]:
    raw = path.read_bytes()
    html = decode(gzip.decompress(raw) if path.suffix == ".gz" else raw, "text/html", html=True).text
    return tuple(message["content"] for message in Forum(path="x").parse(html).messages or ())
