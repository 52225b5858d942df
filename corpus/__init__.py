"""From a recipe to a published version of a corpus.

    import corpus
    version = corpus.build("recipe.toml")      # or corpus.open("hearthside@1")
    version.sql("select reason, count(*) from fates group by all")

Importing this package loads nothing heavy; what a call needs is loaded by the call.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corpus.crawling import Crawled
    from corpus.previewing import Preview
    from corpus.version import Version
    from schemas.runtime import ExecutorName

__all__ = ["build", "crawl", "open", "preview"]


def build(
    recipe: Path | str,
    *,
    root: Path | str = ".",
    workers: int | None = None,
    executor: ExecutorName = "local",
    quiet: bool = False,
) -> Version:
    """Build the version a recipe describes, or find that it is already there.

    `workers` is a number of processes, by default one a core. Raises what `gristmill build` would end with
    (`schemas.errors`): RecipeError with all faults together, SourceError, EmptyCorpus, …
    """
    from corpus.pipeline import build as run
    from corpus.version import Version
    from schemas.runtime import Runtime, available_cores

    runtime = Runtime(root=Path(root), workers=workers or available_cores(), executor=executor, quiet=quiet)
    return Version(run(recipe, runtime).version)


def crawl(
    recipe: Path | str, *, root: Path | str = ".", refresh: bool = False, quiet: bool = False
) -> list[Crawled]:
    """Gather what a recipe's sources have elsewhere, and build nothing: one row a source that gathers.

    Goes on where it was stopped; `refresh` asks again for what is there. Raises what `gristmill crawl` would end with.
    """
    from corpus.crawling import crawl as run
    from schemas.runtime import Runtime

    return run(recipe, Runtime(root=Path(root), quiet=quiet), refresh=refresh)


def open(spec: str, *, root: Path | str = ".") -> Version:  # noqa: A001  corpus.open reads as what it does
    """Open `name@N`, or the newest version of `name`; raises NotFound with what there is."""
    from corpus.version import Version
    from schemas.store import Store

    return Version(Store(Path(root)).version(spec))


def preview(
    recipe: Path | str,
    *,
    only: str | None = None,
    n: int = 20,
    seed: int = 0,
    every: bool = False,
    root: Path | str = ".",
    quiet: bool = True,
) -> Preview:
    """What a recipe's cleaners change in a sample of its documents, without a build: `n` that change, or with `every` as they come.

    `only` names one cleaner. Raises what `gristmill clean --preview` would end with.
    """
    from corpus.previewing import preview as run
    from schemas.runtime import Runtime

    return run(
        recipe, Runtime(root=Path(root), workers=1, quiet=quiet), only=only, n=n, seed=seed, every=every
    )
