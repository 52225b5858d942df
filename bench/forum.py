r"""Word F1 of forum threads on the 111 forum pages of WCXB: by engine, over all, and of the fallback for unknown engines alone.

    .venv/bin/python bench/forum.py [--quotes keep|drop] [--siblings] [--pages]

The metric is that of `extraction_quality.py`: multiset word F1 over `\w+`, lower-cased, mean over pages. A page without posts counts with what the
default extractor (trafilatura) makes of it, as in a build. `shells` are pages of a named engine that hold none of the thread's words: Discourse
served them empty but for scripts. Authors' names stand above the posts (`byline = "author"`), as in the gold texts. `--siblings` also reads every page as if its engine were unknown, even-numbered pages (on which
the rules were set) and odd-numbered ones (on which they were not) apart. Exits 1 below a floor.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.extraction_quality import DATA, word_f1
from plugins.extractors.encoding import decode
from plugins.extractors.trafilatura import Trafilatura
from plugins.scrapers.forum import Forum
from plugins.scrapers.sites import posts_of
from plugins.scrapers.sites.engine import byline
from plugins.scrapers.sites.siblings import siblings
from plugins.scrapers.sites.tree import parsed

NAMED = 0.85
"""Floor of the pages on which a named engine's rules found posts; measured .88."""
ALL = 0.80
"""Floor of all 111 pages; measured .83, trafilatura .706."""
GENERAL = frozenset({"microdata", "siblings"})


class Read(NamedTuple):
    """One page: who found its posts (None: nobody), and F1."""

    page: str
    engine: str | None
    posts: int
    f1: float


def pages(data: Path = DATA) -> Iterator[tuple[str, str, str]]:
    """Number, decoded HTML and gold text of each forum page."""
    folder = data / "extraction/wcxb-dev"
    for path in sorted((folder / "ground-truth").glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        if truth["_internal"]["page_type"]["primary"] == "forum":
            raw = gzip.decompress((folder / "html" / f"{path.stem}.html.gz").read_bytes())
            yield (
                path.stem,
                decode(raw, "text/html", html=True).text,
                truth["ground_truth"]["main_content"] or "",
            )


def reading(forum: Forum, number: str, html: str, gold: str) -> Read:
    """What a build makes of a page."""
    tree = parsed(html)
    engine, posts = posts_of(tree, keep_quotes=forum.quotes == "keep") if tree is not None else (None, [])
    text = forum.parse(html).text or Trafilatura().extract(html) or ""
    return Read(number, engine, len(posts), word_f1(gold, text))


def alone(html: str, gold: str) -> float:
    """F1 of the fallback for unknown engines, by itself."""
    tree = parsed(html)
    posts = siblings(tree) if tree is not None else []
    return word_f1(gold, "\n\n".join(byline(post.author, None, "author") + post.content for post in posts))


def mean(values: Sequence[float]) -> float:
    """Of no values 0."""
    return sum(values) / len(values) if values else 0.0


def main() -> int:
    """Print the means; 1 where a floor is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quotes", choices=("keep", "drop"), default="keep")
    parser.add_argument("--siblings", action="store_true")
    parser.add_argument("--pages", action="store_true")
    options = parser.parse_args()
    forum = Forum(path="x", quotes=options.quotes, byline="author")
    corpus = list(pages())
    read = [reading(forum, *page) for page in corpus]
    by_engine: dict[str, list[float]] = defaultdict(list)
    for row in read:
        by_engine[row.engine or "no posts"].append(row.f1)
        if options.pages:
            print(f"{row.page}  {row.engine or '-':<16} {row.posts:>4} posts  F1 {row.f1:.3f}")
    for engine, values in sorted(by_engine.items(), key=lambda item: -len(item[1])):
        print(f"{engine:<16} {len(values):>4} pages  F1 {mean(values):.3f}")
    shells = [
        row.f1
        for row, (_, html, _) in zip(read, corpus, strict=True)
        if not row.posts and 'content="Discourse' in html
    ]
    named = [row.f1 for row in read if row.engine and row.engine not in GENERAL]
    every = [row.f1 for row in read]
    print(f"{'named engines':<16} {len(named):>4} pages  F1 {mean(named):.3f}  floor {NAMED:.2f}")
    print(f"{'… and shells':<16} {len(named + shells):>4} pages  F1 {mean(named + shells):.3f}")
    print(f"{'all':<16} {len(every):>4} pages  F1 {mean(every):.3f}  floor {ALL:.2f}")
    began = process_time()
    for _, html, _ in corpus:
        forum.parse(html)
    print(
        f"{len(corpus) / (process_time() - began):.0f} pages/s of one core, {sum(len(h) for _, h, _ in corpus) // len(corpus) >> 10} K characters each"
    )
    if options.siblings:
        for half, odd in (("even", 0), ("odd", 1)):
            values = [
                (alone(html, gold), row.engine in GENERAL)
                for row, (n, html, gold) in zip(read, corpus, strict=True)
                if int(n) % 2 == odd and row.engine
            ]
            unknown = [value for value, general in values if general]
            print(
                f"siblings, {half:<6} {len(values):>4} pages  F1 {mean([value for value, _ in values]):.3f}; the {len(unknown)} of no named engine {mean(unknown):.3f}"
            )
    return int(mean(named) < NAMED or mean(every) < ALL) if options.quotes == "keep" else 0


if __name__ == "__main__":
    sys.exit(main())
