r"""How well `ooc` finds the asides that were labelled, and what it takes out that is none.

    .venv/bin/python bench/ooc_quality.py [--half dev|aside] [--file PATH] [--threads]

`--file` scores all of a file of JSON lines {"id", "text", "spans", "whole"} in place of a half. `--threads` judges posts whose ids differ in the last number only as one
thread, as a build does; without it every post is alone, which makes whole posts harder.

Forum posts (demo, wcxb, roleplay): labelled spans that touch are merged; one counts as found where removed characters cover 90 % of its characters other than
white space, a removal as wrong where more than 10 % of its own are in character; a whole post is one aside, taken out where the cleaner masks or empties it. A sentence
is cut where a removal begins or ends inside one that is in character: between two characters that are neither white space, of the same line, with no end of a sentence, bracket
or label between them. CRD3: whole turns, `spoken = true`, without a bound. What was missed and what was wrong is shown for dev only.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.labels.ooc import Label, labels
from plugins.cleaners.ooc import Ooc
from plugins.contracts import Turn

Spans = list[tuple[int, int]]

COVERED, FOREIGN = 0.9, 0.1


def from_file(path: Path) -> Iterator[Label]:
    """The labels of a file of their own, as one half and one kind."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield Label(row["id"], "file", "file", row["text"], [(s, e) for s, e in row["spans"]], row["whole"])


def turns(cleaner: Ooc, posts: Iterable[Label], *, threads: bool) -> dict[str, Turn]:
    """What the cleaner does with each post, by its id."""
    groups: defaultdict[str, list[Label]] = defaultdict(list)
    for post in posts:
        groups[re.sub(r"\d+$", "", post.id) if threads else post.id].append(post)
    done: dict[str, Turn] = {}
    for group in groups.values():
        messages = [{"role": "user", "name": None, "content": post.text, "train": None} for post in group]
        done.update(zip((post.id for post in group), cleaner.clean_messages(messages), strict=True))
    return done


def removed(turn: Turn, text: str) -> Spans:
    """What the cleaner takes out or masks, without the white space around it."""
    if turn.train is False or turn.content == "":
        return trimmed(text, [(0, len(text))])
    assert not isinstance(turn.content, str)
    return trimmed(text, [(edit.start, edit.end) for edit in turn.content or ()])


def trimmed(text: str, spans: Spans) -> Spans:
    """Without white space at both ends; those with only white space between them are one."""
    merged: Spans = []
    for start, end in sorted(spans):
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    inner = ((s + len(text[s:e]) - len(text[s:e].lstrip()), s + len(text[s:e].rstrip())) for s, e in merged)
    return [(start, end) for start, end in inner if start < end]


def ink(text: str, spans: Spans) -> set[int]:
    """Places of the characters in spans that are no white space."""
    return {place for start, end in spans for place in range(start, end) if not text[place].isspace()}


def cuts(text: str, spans: Spans, labelled: set[int]) -> int:
    """Borders of removals inside a sentence that is in character."""
    return sum(
        1 for start, end in spans for inner, outer in ((start, start - 1), (end - 1, end)) if _cuts(text, inner, outer, labelled)
    )  # fmt: skip


def _cuts(text: str, inner: int, outer: int, labelled: set[int]) -> bool:
    step = 1 if outer > inner else -1
    while 0 <= outer < len(text) and text[outer] in " \t":
        outer += step
    if not 0 <= outer < len(text) or text[outer] == "\n" or {inner, outer} & labelled:
        return False
    left = text[min(inner, outer)]
    return left not in '.!?…"”*)]}'


def score(items: list[Label], *, show: bool, threads: bool) -> None:
    """Print precision and recall of forum posts, and of CRD3's turns."""
    forum: Counter[str] = Counter()
    spoken: Counter[str] = Counter()
    by_kind: Counter[tuple[str, str]] = Counter()
    speech = turns(Ooc(spoken=True), (item for item in items if item.kind == "crd3"), threads=False)
    written = turns(Ooc(), (item for item in items if item.kind != "crd3"), threads=threads)
    for label in items:
        if label.kind == "crd3":
            hit = bool(removed(speech[label.id], label.text))
            spoken[
                ("true" if label.whole else "false") if hit else ("missed" if label.whole else "left")
            ] += 1
            continue
        forum["posts"] += 1
        _post(label, written[label.id], forum, by_kind, show=show)
    _tell("forum posts", forum)
    for kind in sorted({kind for kind, _ in by_kind}):
        print(
            f"  {kind}: "
            + ", ".join(
                f"{by_kind[kind, key]} {key}" for key in ("asides", "found", "removals", "wrong", "cut")
            )
        )
    hits, of = spoken["true"] + spoken["false"], spoken["true"] + spoken["missed"]
    if of:
        print(f"crd3 turns: precision {spoken['true']}/{hits}, recall {spoken['true']}/{of}")


def _post(
    label: Label, turn: Turn, forum: Counter[str], by_kind: Counter[tuple[str, str]], *, show: bool
) -> None:
    text = label.text
    wanted = trimmed(text, [(0, len(text))] if label.whole else list(label.spans))
    taken = removed(turn, text)
    right, gone = ink(text, wanted), ink(text, taken)
    counts: Counter[str] = Counter(
        asides=len(wanted), removals=len(taken), cut=cuts(text, taken, right),
        characters=len(right), taken=len(gone), both=len(right & gone),
    )  # fmt: skip
    for span in wanted:
        inside = ink(text, [span])
        counts["found"] += len(inside & gone) >= COVERED * len(inside)
        if show and len(inside & gone) < COVERED * len(inside):
            print(f"missed {label.id}: {text[slice(*span)]!r:.160}")
    for span in taken:
        inside = ink(text, [span])
        counts["wrong"] += len(inside - right) > FOREIGN * len(inside)
        if show and len(inside - right) > FOREIGN * len(inside):
            print(f"WRONG  {label.id}: {text[slice(*span)]!r:.300}")
    forum.update(counts)
    by_kind.update({(label.kind, key): number for key, number in counts.items()})


def _tell(title: str, n: Counter[str]) -> None:
    precision = (n["removals"] - n["wrong"]) / n["removals"] if n["removals"] else 1.0
    print(
        f"{title}: {n['posts']} posts, {n['asides']} asides, {n['removals']} removals: precision {precision:.3f} ({n['wrong']} wrong), "
        f"recall {n['found'] / max(1, n['asides']):.3f} ({n['found']} found); by characters {n['both'] / max(1, n['taken']):.3f} and "
        f"{n['both'] / max(1, n['characters']):.3f}; sentences cut: {n['cut']}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--half", choices=["dev", "aside"], default="dev")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--threads", action="store_true")
    options = parser.parse_args()
    found = from_file(options.file) if options.file else labels(options.half)
    score(list(found), show=options.half == "dev" and not options.file, threads=options.threads)
