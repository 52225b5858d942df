"""How many corrections of the cleaner `spelling` are right, on labelled words of real texts.

    .venv/bin/python bench/spelling_quality.py [--half dev|aside] [--mode known|symspell] [--partial]

Of the labelled occurrences (bench/labels/spelling.jsonl; how they were labelled: bench/labels/samples.py): those corrected, the share of them
corrected to the label (compared without case), each wrong one with its file, and the misspelt ones left alone. The interval is Wilson's at 95 %.
Exits 1 where the share is below the floor, or where a word that must stay because it is code, a URL or a name was changed.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.labels.samples import Half, Spelling as Label, spelling
from plugins.cleaners.spelling import Spelling
from plugins.contracts import Edit

FLOOR = 0.95
NEVER = frozenset({"code", "url", "name"})


@dataclass
class Outcome:
    """Labels by what became of them."""

    right: list[Label] = field(default_factory=list)
    wrong: list[tuple[Label, str]] = field(default_factory=list)
    left: list[Label] = field(default_factory=list)
    stayed: int = 0

    @property
    def share(self) -> float:
        """Corrections that are right; 1 where none was made."""
        made = len(self.right) + len(self.wrong)
        return len(self.right) / made if made else 1.0

    @property
    def damage(self) -> list[tuple[Label, str]]:
        """Changes of code, URLs and names."""
        return [(label, after) for label, after in self.wrong if label["why"] in NEVER]


def judge(labels: Iterable[tuple[Label, str]], cleaner: Spelling) -> Outcome:
    """What the cleaner makes of each labelled word in its whole text."""
    outcome, known = Outcome(), dict[str, list[Edit]]()
    for label, text in labels:
        if label["text_sha"] not in known:
            known[label["text_sha"]] = cleaner.clean(text)
        edits = known[label["text_sha"]]
        edit = next((one for one in edits if one.start < label["end"] and label["start"] < one.end), None)
        if edit is None:
            outcome.left += [label] if label["correct"] else []
            outcome.stayed += not label["correct"]
        elif edit.after.lower().replace("’", "'") == label["correct"].lower().replace("’", "'"):
            outcome.right.append(label)
        else:
            outcome.wrong.append((label, edit.after))
    return outcome


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share.

    >>> [round(bound, 3) for bound in interval(95, 100)]
    [0.888, 0.978]
    """
    if not of:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)


def main() -> int:
    """Print the figures; 1 below the floor or where what must stay was changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--half", choices=["dev", "aside"], default="dev")
    parser.add_argument("--mode", choices=["known", "symspell"], default="known")
    parser.add_argument("--partial", action="store_true", help="leave out labels whose texts are not here")
    arguments = parser.parse_args()
    half: Half = arguments.half
    outcome = judge(spelling(half, partial=arguments.partial), Spelling(mode=arguments.mode))
    right, made = len(outcome.right), len(outcome.right) + len(outcome.wrong)
    low, high = interval(right, made)
    misspelt = made - sum(not label["correct"] for label, _ in outcome.wrong) + len(outcome.left)
    print(f"corrections made   {made}")
    print(f"right              {right} ({outcome.share:.3f}, 95 % interval {low:.3f} to {high:.3f})")
    print(f"misspelt, left     {len(outcome.left)} of {misspelt}")
    print(f"rightly left       {outcome.stayed}")
    print(f"code, URL, name    {len(outcome.damage)} changed")
    for label, after in outcome.wrong:
        where = f"{label['file']} {label['locator']}"
        print(f"  wrong: {label['word']} -> {after}, not {label['correct'] or label['why']!r} ({where})")
    return outcome.share < FLOOR or bool(outcome.damage)


if __name__ == "__main__":
    sys.exit(main())
