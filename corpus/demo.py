"""`gristmill demo`: the whole path on the bundled sample site, told step by step.

Its root is `.gristmill/demo` under the user's, so that the demo's corpus, runs and base model never mix with real ones, and
deleting one folder leaves nothing behind. Corpus and trainer do not know each other: training is reached through the entry
point of the command `train`. A second run builds nothing and trains nothing: it shows the adapter that is there, without
opening the sealed test split again; `again` trains a new one.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, entry_points, requires
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from corpus.answers import render
from corpus.commands.program import program
from corpus.commands.summary import version_summary
from corpus.demo_site import HOST, served
from corpus.doctor import requirements
from corpus.pipeline import Build, build
from corpus.query import query
from corpus.shipped import recipes
from plugins import models
from plugins.registry import load_recipe
from schemas.errors import MissingExtra, NotFound, missing_extra
from schemas.runtime import Runtime
from schemas.store import Store

FOLDER = Path(".gristmill") / "demo"

QUESTION = """\
select stage, reason, count(*) as n, min(detail) as for_example
from fates
group by all
order by n desc, stage, reason"""

PROMPT = "The door of the inn opened, and"
ANSWER_TOKENS = 60


@dataclass
class Guide:
    """Speaks to whoever watches: numbered steps on stdout, the time each took."""

    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    start: float = field(default_factory=time.perf_counter)
    number: int = 0

    def step(self, title: str, *lines: str) -> None:
        """Begin the next step."""
        self.number += 1
        self.console.print()
        self.console.print(Text(f"{self.number}. {title}", style="bold"))
        self.say(*lines)

    def say(self, *lines: str) -> None:
        """Lines within a step, as they are: brackets are no markup."""
        for line in lines:
            self.console.print(Text(f"   {line}" if line else ""))

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.perf_counter() - self.start


def demo(root: Path, *, steps: int | None = None, again: bool = False, recipe: Path | None = None) -> None:
    """Build, ask, train, evaluate and answer, on stdout; progress goes to stderr.

    `steps` bounds the optimiser's steps. `recipe` is another recipe than the bundled one. Raises MissingExtra before any
    work where training is not installed, NotFound where no base model can be had.
    """
    trainer = _trainer()
    guide = Guide()
    home = root / FOLDER
    recipe = recipe or recipes() / "demo" / "recipe.toml"
    with served(recipes() / "demo" / "site", _port(recipe)) as port:
        recipe = _recipe(recipe, home, steps, port)
        _fetch(guide, recipe, home)
        made = _build(guide, recipe, home)
    _ask(guide, made, home)
    run, fresh = _train(guide, trainer, made, recipe, home, again=again)
    _evaluate(guide, run, fresh=fresh)
    _answer(guide, run)
    _farewell(guide, made, run, home)


# ------------------------------------------------------------------------------------------------ the steps


def _fetch(guide: Guide, recipe: Path, home: Path) -> None:
    parsed = load_recipe(recipe).recipe
    name = parsed.train.model or parsed.tokens.model
    guide.step(f"A base model: {name}", "Its tokenizer cuts the corpus, its weights get the adapter.")
    try:
        path = models.resolve(name, Store(home).models, recipe.parent, weights=True)
    except NotFound:
        path = models.pull(name, Store(home).models, say=guide.say)
    guide.say(f"It lies in {path}.")


def _build(guide: Guide, recipe: Path, home: Path) -> Build:
    guide.step(
        "From a web site to a corpus",
        f"The recipe {recipe} says where pages come from and how they are cleaned,",
        "judged, deduplicated, split and cut. Every line of it is explained; read it next.",
        f"A small forum is served at {_seed(recipe)} and crawled as any site would be.",
    )
    made = build(recipe, Runtime(root=home))
    counts, spec = made.manifest.counts, made.version.spec
    if made.new:
        guide.say(
            f"{spec}: {counts['pages']} pages became {counts['documents']} documents, {counts['tokens']:,} tokens, in {sum(made.seconds.values()):.1f} s."
        )
    else:
        guide.say(f"It already is {spec}: same recipe, same pages, same bytes.")
    guide.say(*"\n".join(version_summary(made.version, made.manifest)).splitlines())
    return made


def _ask(guide: Guide, made: Build, home: Path) -> None:
    guide.step(
        "Ask it: what became of every page, and why?",
        f"{program()} sql {made.version.spec} --root {home}",
        "",
    )
    guide.say(*QUESTION.splitlines(), "")
    guide.say(*render(query(made.version, QUESTION), width=max(60, guide.console.width - 3)).splitlines())


def _train(
    guide: Guide, trainer: Any, made: Build, recipe: Path, home: Path, *, again: bool
) -> tuple[Any, bool]:
    """The run, and whether it is new."""
    guide.step(
        "Train a LoRA adapter on the train split",
        "It learns from train, is watched on val, and never sees test.",
    )
    run = None if again else _finished(trainer, made, recipe, home)
    fresh = run is None
    if run is None:
        began = time.perf_counter()
        run = trainer.train(recipe, root=home)
        guide.say(f"{run.spec} took {time.perf_counter() - began:.0f} s.")
    else:
        guide.say(
            f"{run.spec} is already trained on {made.version.spec}; `{program()} demo --again` trains another."
        )
    end = run.record.outcome
    guide.say(
        f"{end.steps} steps, {end.trained_tokens:,} tokens trained. Why it ended: {end.stop_reason}.",
        f"Loss on val: {end.first_val_loss:.4f} before, {end.val_loss:.4f} after."
        if end.val_loss and end.first_val_loss
        else "",
    )
    return run, fresh


def _evaluate(guide: Guide, run: Any, *, fresh: bool) -> None:
    guide.step(
        "Open the sealed test split",
        "Each opening is counted in the run's record: a test looked at often is no test.",
    )
    known = [opening for opening in run.record.openings if opening.tuned_loss is not None]
    if fresh or not known:
        guide.say(*run.evaluate().lines())
        return
    last = known[-1]
    guide.say(
        f"Opened at {last.at}: loss of the base {last.base_loss:.4f}, tuned {last.tuned_loss:.4f}. Not opened again."
    )


def _answer(guide: Guide, run: Any) -> None:
    guide.step("One answer of each", f"Both go on from: {PROMPT}")
    table = Table(expand=True, show_lines=False)
    table.add_column("base")
    table.add_column(f"tuned ({run.spec})")
    options = {"max_new_tokens": ANSWER_TOKENS, "repetition_penalty": 1.1}
    table.add_row(*(Text(run.chat(PROMPT, base=base, **options).strip()) for base in (True, False)))
    guide.console.print(table)


def _farewell(guide: Guide, made: Build, run: Any, home: Path) -> None:
    guide.step(
        f"Done in {guide.seconds:.0f} s. Where everything lies",
        f"corpus    {Store(home).version(made.version.spec).path}",
        f"run       {run.path}",
        f"adapter   {run.adapter}",
        f"model     {Store(home).models}",
        "",
        "Go on with:",
        f'  {program()} sql {made.version.spec} "select title, n_tokens from documents" --root {home}',
        f'  {program()} chat {run.spec} --prompt "Fog came up the river" --root {home}',
        f"  {program()} init roleplay my-corpus",
        f"Leave nothing behind (published versions are read-only): chmod -R u+w {home} && rm -r {home}",
    )


# ------------------------------------------------------------------------------------------------ what it stands on


def _trainer() -> Any:
    """The trainer's package, by the entry point of `train`. Raises MissingExtra with the line that installs what it needs."""
    points = entry_points(group="gristmill.commands", name="train")
    if not points:
        raise missing_extra("train", "the demo's training")
    try:
        needs = [need for need in requirements(requires("gristmill") or []) if need.area == "train"]
    except PackageNotFoundError:
        needs = []
    if absent := [need.name for need in needs if not _installed(need.name)]:
        raise MissingExtra(
            f"the demo trains an adapter, and {', '.join(absent)} {'are' if len(absent) > 1 else 'is'} not installed. Install with: pip install 'gristmill[train]'"
        )
    return import_module(next(iter(points)).module.partition(".")[0])


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _finished(trainer: Any, made: Build, recipe: Path, home: Path) -> Any:
    """The newest finished run on this very corpus with this very [train]; None where there is none."""
    wanted = load_recipe(recipe).recipe.train.model_dump(mode="json")
    for row in reversed(trainer.listing(home)):
        if row.status != "finished":
            continue
        run = trainer.open(row.run, root=home)
        if run.record.fingerprint == made.manifest.fingerprint and run.record.train == wanted:
            return run
    return None


_SEED = re.compile(rf"http://{re.escape(HOST)}:(\d+)/")


def _seed(recipe: Path) -> str:
    """Where the recipe begins to crawl."""
    found = _SEED.search(recipe.read_text(encoding="utf-8"))
    assert found, f"{recipe} does not crawl the demo's site"
    return found[0]


def _port(recipe: Path) -> int:
    return int(_seed(recipe).rstrip("/").rpartition(":")[2])


def _recipe(recipe: Path, home: Path, steps: int | None, port: int) -> Path:
    """The recipe as it lies; or a copy in the demo's folder, where `steps` bound it or its site is served at another port."""
    if steps is None and port == _port(recipe):
        return recipe
    text = _SEED.sub(f"http://{HOST}:{port}/", recipe.read_text(encoding="utf-8"))
    if steps is not None:
        text = re.sub(r"^max_steps\s*=.*\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"^(\[train\].*)$", rf"\1\nmax_steps = {steps}", text, flags=re.MULTILINE)
    copy = home / (f"{recipe.stem}-{steps}-steps.toml" if steps is not None else recipe.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text, encoding="utf-8")
    return copy
