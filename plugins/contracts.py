"""What a plugin is: every name an author needs, from one module.

A plugin is a frozen pydantic model: its fields are its options in the recipe, its methods are what gristmill calls. It lives in an
installed package (entry point `gristmill.<kind>s`) or in a local file the recipe names. Its options, its source file, its `kernels` and
the versions of what it `requires` are its identity: change one, and what it made is made again.

Raise on a document you cannot handle: it costs that document a fate with your message, never the build.

The kinds that read and judge text stand below. Apart, so that each fits a screen: `plugins/plugin.py` (options and marks),
`plugins/scraping_contracts.py` (scrapers), `plugins/training_contracts.py` (backends, optimisers, callbacks).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from plugins.plugin import Beside, Brings, Locates, Plugin, Threshold
from plugins.scraping_contracts import Page, Part, Place, Scraper
from plugins.training_contracts import Backend, Callback, Loaded, Optimizer

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a page says."""

    text: str | None
    messages: list[dict[str, Any]] | None = None
    """role, name, content, train: see `schemas.tables.MESSAGES`."""
    title: str | None = None
    author: str | None = None
    published: str | None = None
    url: str | None = None
    """The page's own canonical address."""
    license: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    """What else it says; joins the page's own."""
    note: str | None = None
    """What somebody who looks for the page should know, such as what was left out of it: its `detail` in `fates`."""


class Extractor(Plugin):
    """Main content from HTML. Runs in a killable child with a CPU and memory limit."""

    @abstractmethod
    def extract(self, html: str) -> str | None:
        """The main text of a decoded page; None or empty where it has none."""

    def extract_page(self, html: str) -> Extracted:
        """As `extract`; override where there is more to say of a page than its text."""
        return Extracted(self.extract(html))


@dataclass(frozen=True, slots=True)
class Edit:
    """One replaced span: characters [start, end) of the text as it was before this cleaner."""

    start: int
    end: int
    after: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What a cleaner makes of one message; by default it leaves everything as it is.

    No message is ever taken out, so that turns keep their numbers: one that should go becomes empty, and formats pass over it.
    """

    content: str | Sequence[Edit] | None = None
    """The new content, or the edits that make it."""
    name: str | None = None
    """The new name of the speaker."""
    train: bool | None = None
    """False: the model reads it and does not learn it."""


class Cleaner(Plugin):
    """Rewrites one text (or one message of a dialogue). Idempotent: cleaning twice changes nothing more.

    May also define `clean_messages(messages) -> Sequence[Turn]`, one Turn a message, where it must see a dialogue as a whole or changes more than
    what a message says; `messages` are dicts of role, name, content and train (`schemas.tables.MESSAGES`).
    """

    @abstractmethod
    def clean(self, text: str) -> str | list[Edit]:
        """The new text, or the edits that make it, ascending and not overlapping."""

    def clean_column(self, texts: Sequence[str]) -> Sequence[str | list[Edit]]:
        """As `clean`, for a whole column; override where that is faster."""
        return [self.clean(text) for text in texts]


class Learner(Cleaner):
    """A cleaner that must first see all pages of a scope, such as a site.

    `count` runs over every page as it was extracted, task by task, and is remembered; `learn` makes one small table of all counts; then
    `clean_learned` cleans, told the rows of its scopes. Options that only `learn` reads are marked with `Threshold`: moving one counts
    nothing anew. How lines are compared (`key`) should overlook what other cleaners mend, since those of earlier steps have worked by then.
    """

    def scope_of(self, url: str | None, source: str) -> str:
        """What is learned together: by default the host of the page's address, else its source."""
        return host_of(url) or source

    @abstractmethod
    def key(self, line: str) -> str:
        """What lines that count as one have in common. Each edit of `clean_learned` takes out one learned line, with the white space around it."""

    @abstractmethod
    def count(self, pages: Sequence[Sequence[str]], scopes: Sequence[str]) -> pa.Table:
        """What these pages add, each given as its texts (one, or one a message): any table. It depends on each page alone, so that tables
        of any pieces of a corpus add up to the same."""

    @abstractmethod
    def learn(self, counts: Iterable[pa.Table], sizes: Mapping[str, int]) -> pa.Table:
        """`schemas.tables.LEARNED` without `step` and `n_removed`, in any order, of all counts and the number of pages of each scope. `counts`
        may be gone through more than once and is read from disk each time: keep no more in memory than what repeats."""

    @abstractmethod
    def clean_learned(
        self, pages: Sequence[Sequence[str]], scopes: Sequence[str], learned: pa.Table
    ) -> Sequence[Sequence[str | list[Edit]]]:
        """As `clean`, for all texts of each document, knowing the lines learned of these scopes: `learned` has the columns scope and line."""

    def clean(self, text: str) -> str | list[Edit]:
        """Nothing is known of a text alone, so it stays as it is."""
        del text
        return []


def host_of(url: str | None) -> str | None:
    """The host of an address, in lower case and without "www."; None where it has none.

    >>> host_of("https://WWW.Example.org:8080/a")
    'example.org'
    """
    try:
        host = urlsplit(url).hostname if url else None
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None


@dataclass(frozen=True, slots=True)
class Rule:
    """One threshold over score columns. A document fails where `fails` is true; null counts as a failure."""

    reason: str
    """One word, shown in `fates` as "<filter>:<reason>"."""
    fails: pl.Expr
    column: str
    """The score shown in `fates.detail`, and …"""
    bound: str
    """… what it failed: "< 0.65"."""


class Filter(Plugin):
    """Scores every document; its rules decide, later and alone. Mark options only the rules read with `Threshold`."""

    scores: ClassVar[tuple[str, ...]] = ()
    """Names of the columns `score` returns: unique among all filters, since they stand side by side in `scores`."""
    reads: ClassVar[tuple[str, ...]] = ()
    """Further columns of a document that it scores by: any of READABLE. Then override `score_documents`."""

    def columns(self) -> tuple[str, ...]:
        """The columns of this very filter: `scores`, unless their names follow from its options."""
        return self.scores

    @abstractmethod
    def score(self, texts: pl.Series) -> pl.DataFrame:
        """Scores for a column of texts, row for row: each row's depend on that row alone."""

    def score_documents(self, documents: pl.DataFrame) -> pl.DataFrame:
        """As `score`, for a frame of `text` and the columns of `reads`."""
        return self.score(documents["text"])

    @abstractmethod
    def rules(self) -> Sequence[Rule]:
        """What is dropped, in the order in which reasons are given."""


READABLE = ("doc_id", "url", "source", "locator", "title", "author", "published", "license")
"""What `Filter.reads` may name."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of a document's rendered text, and whether its tokens are trained."""

    text: str
    trained: bool = True
    turn: int | None = None
    """Index of the message it shows, where the document is a dialogue."""
    control: bool = False
    """Whether it spells control tokens such as "<|im_start|>" on purpose. Where False, a text that does is encoded as plain characters."""
    opens: bool = True
    """Whether a row may begin with it; a row is cut before one that opens wherever that leaves rows short enough."""
    carried: bool = False
    """Whether it stands, untrained, at the head of every row of the document: a system turn, a title. Only the first spans of a document, or of
    a conversation that `begins`, may be."""
    begins: bool = False
    """Whether another conversation begins with it: no row runs across, and what is carried from here on replaces what was before."""


class Format(Plugin):
    """Turns a document into what the model reads."""

    control_tokens: ClassVar[bool] = False
    """Whether some span spells control tokens: has `control`."""
    ends: ClassVar[bool] = False
    """Whether its spans spell how a document ends; where False, the tokenizer's EOS is added to the last row, trained."""

    def prepared(self, model: Path) -> Format:
        """This format with what it needs of the base model in the folder `model`, such as the chat template; called once, when the recipe
        is read. What comes back is a Format whose options say it all: they are its identity. Raises UserError where the model lacks it."""
        return self

    def notes(self) -> Sequence[str]:
        """Sentences to say to who builds: what it found or decided when it was prepared."""
        return ()

    @abstractmethod
    def render(self, text: str | None, messages: list[dict[str, Any]] | None) -> list[Span]:
        """The document as spans; raise ValueError to refuse it (fate `format`). Joined, they are what is tokenized."""


KINDS: dict[str, type[Plugin]] = {
    "scraper": Scraper,
    "extractor": Extractor,
    "cleaner": Cleaner,
    "filter": Filter,
    "format": Format,
    "backend": Backend,
    "optimizer": Optimizer,
    "callback": Callback,
}
"""Kind → base class; the entry-point group is `gristmill.<kind>s`."""

TRAINING = frozenset({"backend", "optimizer", "callback"})
"""Kinds that make no corpus: their code is no part of a corpus' identity."""

__all__ = [
    "KINDS",
    "READABLE",
    "TRAINING",
    "Backend",
    "Beside",
    "Brings",
    "Callback",
    "Cleaner",
    "Edit",
    "Extracted",
    "Extractor",
    "Filter",
    "Format",
    "Learner",
    "Loaded",
    "Locates",
    "Optimizer",
    "Page",
    "Part",
    "Place",
    "Plugin",
    "Rule",
    "Scraper",
    "Span",
    "Threshold",
    "Turn",
    "host_of",
]
