"""Block lists for addresses, with the decisions of datatrove's URLFilter (after RefinedWeb: Penedo et al. 2023, appendix G.1).

    rule        drops a document whose address
    domain      stands under an entry of `domains`: the entry itself, or any name that ends in "." and the entry
    url         is an entry of `urls`, character for character
    word        holds an entry of `words` as a word: cut at everything but ASCII letters and digits, case as it stands
    soft_words  holds `soft_word_threshold` different entries of `soft_words`
    subword     holds an entry of `subwords` anywhere, once everything but ASCII letters and digits is gone and case with it

Entries of the three word lists are brought to lower case and lose everything but ASCII letters and digits, as there: "x-rated" is looked
for as "xrated". What is empty then says nothing. A document without an address passes every rule; it has nothing to be judged by.

Two things differ from datatrove. A blocked domain blocks everything under it, at any depth; there only the registered domain and the
exact host are compared, which takes tldextract and its list of public suffixes from the net. And no list is built in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from plugins.contracts import Beside, Filter, Rule, Threshold
from plugins.filters.lists import Files, entries, paths, stamp

if TYPE_CHECKING:
    import polars as pl

_OTHER = re.compile("[^a-zA-Z0-9]+")


class Url(Filter):
    """Looks for blocked domains, addresses and words in the document's address. A document without one passes."""

    name = "url"
    requires: ClassVar[tuple[str, ...]] = ("polars",)
    kernels: ClassVar[tuple[str, ...]] = ("plugins.filters.lists",)
    scores: ClassVar[tuple[str, ...]] = (
        "url_domain",
        "url_blocked",
        "url_word",
        "url_soft_words",
        "url_subword",
    )
    reads: ClassVar[tuple[str, ...]] = ("url",)

    domains: Annotated[Files, Beside()] = None
    """Files of domains, one a line. A domain blocks itself and everything under it."""
    urls: Annotated[Files, Beside()] = None
    """Files of whole addresses, one a line."""
    words: Annotated[Files, Beside()] = None
    """Files of words of which one is enough."""
    soft_words: Annotated[Files, Beside()] = None
    """Files of words of which `soft_word_threshold` different ones are enough."""
    subwords: Annotated[Files, Beside()] = None
    """Files of words that may stand inside others: "casino" in "bestcasinos.example"."""
    soft_word_threshold: Annotated[int, Threshold(), Field(ge=1)] = 2
    """How many different soft words drop a document."""

    @model_validator(mode="after")
    def _has_a_list(self) -> Url:
        if not any((self.domains, self.urls, self.words, self.soft_words, self.subwords)):
            raise ValueError('names no list; give one, as in domains = "blocked_domains.txt"')
        return self

    def check(self) -> None:
        """The lists can be read."""
        for _entry in entries(tuple(self._files())):
            pass

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """As for documents that have no address: nothing found."""
        import polars as pl

        return self.score_documents(pl.DataFrame({"text": texts, "url": [None] * len(texts)}))

    def score_documents(self, documents: pl.DataFrame) -> pl.DataFrame:
        """The entry found by each list, null without one; for soft words how many. A list not given finds nothing."""
        import polars as pl

        addresses = documents["url"].cast(pl.String)
        found = _lists(self, tuple((path, *stamp(path)) for path in self._files()))
        rows = [found.look_up(url) if url else (None, None, None, 0) for url in addresses]
        scores = pl.DataFrame(
            rows, schema=dict.fromkeys(self.scores[:3], pl.String) | {self.scores[3]: pl.Int32}, orient="row"
        )
        bare = addresses.str.replace_all(_OTHER.pattern, "").str.to_lowercase()
        if found.subwords:
            first = bare.str.extract_many(list(found.subwords)).list.first()
        else:
            first = pl.Series([None] * len(bare), dtype=pl.String)
        return scores.with_columns(first.alias("url_subword"))

    def _files(self) -> Iterable[str]:
        for files in (self.domains, self.urls, self.words, self.soft_words, self.subwords):
            yield from paths(files)

    def rules(self) -> Sequence[Rule]:
        """In the order of datatrove."""
        import polars as pl

        def stands(reason: str, column: str) -> Rule:
            return Rule(reason, pl.col(column).is_not_null(), column, "is blocked")

        soft = pl.col("url_soft_words") >= self.soft_word_threshold
        return [
            stands("domain", "url_domain"),
            stands("url", "url_blocked"),
            stands("word", "url_word"),
            Rule("soft_words", soft, "url_soft_words", f">= {self.soft_word_threshold}"),
            stands("subword", "url_subword"),
        ]


class _Lists(NamedTuple):
    domains: frozenset[str]
    urls: frozenset[str]
    words: frozenset[str]
    soft_words: frozenset[str]
    subwords: tuple[str, ...]

    def look_up(self, url: str) -> tuple[str | None, str | None, str | None, int]:
        """Blocked domain, address and word found, and the number of soft words."""
        words = _OTHER.split(url)
        return (
            next((name for name in _above(host_of(url)) if name in self.domains), None)
            if self.domains
            else None,
            url if url in self.urls else None,
            next((word for word in words if word in self.words), None),
            len(self.soft_words.intersection(words)),
        )


@lru_cache(maxsize=4)
def _lists(of: Url, _stamps: tuple[tuple[str, int, int], ...]) -> _Lists:
    def all_of(files: Files, form: Callable[[str], str]) -> frozenset[str]:
        return frozenset(filter(None, map(form, entries(files))))

    return _Lists(
        all_of(of.domains, lambda name: name.lower().strip(".")),
        all_of(of.urls, str),
        all_of(of.words, _bare),
        all_of(of.soft_words, _bare),
        tuple(sorted(all_of(of.subwords, _bare))),
    )


def host_of(url: str) -> str:
    """The host of an address, lower-cased, with neither port nor credentials; "" where it has none.

    >>> host_of("https://me:pw@Blog.Example.org:8080/a?b"), host_of("example.org/a")
    ('blog.example.org', 'example.org')
    """
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname
    except ValueError:  # a broken IPv6 address
        return ""
    host = (host or "").strip(".")
    return host if len(host) <= 253 else ""  # longer than any host's name (RFC 1035, 3.1)


def _above(host: str) -> Iterable[str]:
    """The host, and every domain that it stands under."""
    while host:
        yield host
        host = host.partition(".")[2]


def _bare(entry: str) -> str:
    return _OTHER.sub("", entry).lower()
