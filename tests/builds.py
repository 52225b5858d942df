"""Small corpora for tests: a site of HTML and text pages with duplicates, other languages, broken and empty pages; and its recipe."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from corpus.pipeline import Build, build
from schemas.runtime import Runtime

ENGLISH = [
    "the",
    "innkeeper",
    "poured",
    "another",
    "cup",
    "and",
    "watched",
    "rain",
    "run",
    "down",
    "the",
    "window",
    "while",
    "old",
    "sailors",
    "argued",
    "about",
    "maps",
    "that",
    "nobody",
    "had",
    "drawn",
    "yet",
    "she",
    "said",
    "the",
    "harbour",
    "would",
    "freeze",
    "before",
    "midwinter",
    "and",
    "every",
    "boat",
    "should",
    "be",
    "hauled",
    "up",
    "the",
    "beach",
    "by",
    "then",
    "a",
    "child",
    "laughed",
    "near",
    "the",
    "fire",
    "because",
    "the",
    "dog",
    "had",
    "stolen",
    "bread",
    "from",
    "under",
    "the",
    "table",
    "again",
    "and",
    "carried",
    "it",
    "to",
    "the",
    "cellar",
    "they",
    "walked",
    "along",
    "the",
    "wall",
    "counting",
    "lanterns",
    "until",
    "morning",
    "came",
    "grey",
    "and",
    "quiet",
    "over",
    "the",
    "roofs",
    "of",
    "the",
    "lower",
    "town",
]
GERMAN = [
    "der",
    "Wirt",
    "stellte",
    "den",
    "Krug",
    "auf",
    "den",
    "Tisch",
    "und",
    "schaute",
    "lange",
    "hinaus",
    "in",
    "den",
    "Regen",
    "während",
    "die",
    "Fischer",
    "über",
    "das",
    "Wetter",
    "und",
    "die",
    "alten",
    "Karten",
    "stritten",
    "die",
    "niemand",
    "mehr",
    "lesen",
    "konnte",
    "und",
    "das",
    "Feuer",
    "langsam",
    "niederbrannte",
    "bis",
    "der",
    "Morgen",
    "über",
    "den",
    "Dächern",
    "stand",
]


def prose(seed: int, words: int = 160, vocabulary: list[str] = ENGLISH) -> str:
    """Paragraphs that no other seed has."""
    draw = random.Random(seed)
    sentences = []
    while words > 0:
        length = draw.randint(8, 16)
        sentence = " ".join(draw.choice(vocabulary) for _ in range(length))
        sentences.append(sentence[0].upper() + sentence[1:] + ".")
        words -= length
    return "\n\n".join(" ".join(sentences[n : n + 4]) for n in range(0, len(sentences), 4))


def html(text: str, title: str = "A tale") -> str:
    """A page as a site would write it."""
    body = "\n".join(f"<p>{paragraph}</p>" for paragraph in text.split("\n\n"))
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f'<nav><a href="/">Home</a> <a href="/about">About</a></nav><main><article><h1>{title}</h1>\n{body}\n</article></main>'
        f"<footer>All rights reserved. <a href='/imprint'>Imprint</a></footer></body></html>"
    )


def write_site(folder: Path, pages: int = 24) -> None:
    """`pages` good pages, half HTML and half text, and one of each oddity."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(pages):
        name = f"page-{n:03d}"
        if n % 2:
            (folder / f"{name}.html").write_text(html(prose(n), f"Tale {n}"))
        else:
            (folder / f"{name}.txt").write_text(prose(n))
    words = prose(1).split(" ")
    words[10], words[60] = "a", "b"  # shorter: the other one survives
    (folder / "near.html").write_text(html(" ".join(words), "Tale"))
    (folder / "copy.txt").write_text(prose(0))
    (folder / "german.html").write_text(html(prose(900, vocabulary=GERMAN), "Ein Abend"))
    (folder / "short.txt").write_text("Too short to keep.")
    (folder / "empty.html").write_text("")
    (folder / "binary.html").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    (folder / "mojibake.txt").write_text(prose(901) + "\n\nThe innkeeperâ€™s cafÃ© was   closed.  \n")
    (folder / "thread-1.html").write_text(html(prose(902, 90), "A thread"))
    (folder / "thread-2.html").write_text(html(prose(903, 90), "A thread, page 2"))


RECIPE = """\
name = "tales"

[[source]]
use = "files"
path = ["site/**/*.html", "site/**/*.txt"]
group = "(thread)-[0-9]+"
fold = true

[[filter]]
use = "language"
keep = ["en"]
min_score = 0.3

[[filter]]
use = "length"
min_words = 40

[split]
val = 0.15
test = 0.15

[tokens]
model = "{model}"
max_tokens = 128
"""


def write_recipe(base: Path, model: Path, text: str = RECIPE, **replaced: str) -> Path:
    """The recipe in `base`, with `replaced` old → new strings applied."""
    base.mkdir(parents=True, exist_ok=True)
    text = text.format(model=model)
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    path = base / "recipe.toml"
    path.write_text(text)
    return path


def build_here(recipe: Path, root: Path | None = None, workers: int = 1) -> Build:
    return build(recipe, Runtime(root=root or recipe.parent, workers=workers, quiet=True))


def parquet_hashes(version: Path) -> dict[str, str]:
    """sha256 of every Parquet file of a version."""
    return {
        path.relative_to(version).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(version.rglob("*.parquet"))
    }
