"""`gristmill crawl`: bring what a recipe's sources have elsewhere, and build nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from corpus.engine.alone import alone
from corpus.engine.progress import Progress
from corpus.phases.gather import place_of
from plugins.contracts import Scraper
from plugins.registry import load_recipe
from schemas.errors import SourceError
from schemas.runtime import Runtime
from schemas.store import Store


@dataclass(frozen=True)
class Crawled:
    """What one source holds now."""

    source: str
    use: str
    path: Path
    """Its folder: the archive and the state of the crawl."""
    pages: int
    """Those that are not kept among them."""
    bytes: int
    fates: dict[str, int]
    """Why pages are not kept, such as "status-404" or "listing"; "ok" counts the others."""
    seconds: float


def crawl(recipe: Path | str, runtime: Runtime | None = None, *, refresh: bool = False) -> list[Crawled]:
    """Gather every source of a recipe that lies elsewhere; one that was stopped goes on, and a finished one is left as it is.

    With `refresh` what is there is asked for again; a site that says "unchanged" sends nothing. Raises SourceError where no source
    of the recipe gathers, or one cannot.
    """
    runtime = runtime or Runtime()
    resolved = load_recipe(recipe)
    store, progress = Store(runtime.root.absolute()), Progress(runtime.quiet)
    live = [
        (source, scraper)
        for source, spec in zip(resolved.recipe.source, resolved.scrapers, strict=True)
        if (scraper := cast(Scraper, spec.make())).gathers
    ]
    if not live:
        uses = ", ".join(dict.fromkeys(source.use for source in resolved.recipe.source))
        raise SourceError(
            f"{resolved.path.name} has nothing to gather: what its sources have ({uses}) is read by the build itself. Type: gristmill build {recipe}"
        )
    found = []
    with alone(store, resolved.recipe.name):
        for source, scraper in live:
            with progress.phase(source.label), progress.line(source.label) as tell:
                place = place_of(
                    resolved, source.label, store.sources, tell, progress.say, refresh=refresh, retry=True
                )
                place.work.mkdir(parents=True, exist_ok=True)
                parts = scraper.parts(place)
                fates, size = Counter[str](), 0
                for part in parts:
                    for page in scraper.fetch(place, part):
                        fates[page.error or "ok"] += 1
                        size += len(page.content or b"") or page.size or 0
            found.append(
                Crawled(
                    source.label, source.use, place.work, fates.total(), size, dict(fates.most_common()), progress.seconds[source.label]
                )
            )  # fmt: skip
    return found
