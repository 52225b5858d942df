"""Scrapers that know their pages and bring them from either place: saved ones, as `files` reads them, or live ones, as `crawl` fetches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationError, model_validator

from plugins.contracts import Brings, Locates, Page, Part, Place, Scraper, Threshold
from schemas.recipe import faults_of

if TYPE_CHECKING:
    from plugins.scrapers.crawl import Crawl


def _crawl_schema(schema: dict[str, Any]) -> None:
    """In the recipe's JSON Schema the table `crawl` has the options of the scraper `crawl`, so that an editor completes and checks them."""
    from plugins.scrapers.crawl import Crawl

    made = Crawl.model_json_schema()
    shared = made.get("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            rest = {key: value for key, value in part.items() if key != "$ref"}
            return {**inlined(shared[part["$ref"].rpartition("/")[2]]), **rest}
        return {key: inlined(value) for key, value in part.items()}

    options = {key: inlined(value) for key, value in made["properties"].items() if key != "seeds"}
    schema.update(type="object", properties=options, additionalProperties=False)


class SavedOrLive(Scraper):
    """Saved pages at `path`, or live ones from `seeds` on."""

    requires: ClassVar[tuple[str, ...]] = (
        *("lxml", "Resiliparse", "charset-normalizer", "zstandard", "brotli", "pyarrow"),
    )
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.scrapers.saved_or_live",
        "plugins.scrapers.files",
        "plugins.scrapers.crawl",
        "plugins.web",
        "plugins.scrapers.columns",
        "plugins.scrapers.globs",
        "plugins.scrapers.media",
        "plugins.scrapers.records",
        "plugins.scrapers.tables",
        "plugins.extractors.head",
        "plugins.extractors.encoding",
    )

    path: Annotated[str | tuple[str, ...] | None, Locates(), Field(min_length=1)] = None
    """Saved pages: one glob or several, relative to the recipe, as for `files`."""
    seeds: Annotated[tuple[str, ...], Brings()] = ()
    """Live pages: the addresses to begin at; how they are fetched stands in `crawl`."""
    crawl: Annotated[dict[str, Any], Brings(), Field(json_schema_extra=_crawl_schema)] = Field(
        default_factory=dict
    )
    """Options of the `crawl` scraper: `contact` (required), `delay`, `max_pages` … No sitemap is read unless they say so."""

    @model_validator(mode="before")
    @classmethod
    def _in_its_place(cls, options: Any) -> Any:
        """What is the crawl's stands in its table, and only there."""
        given = options if isinstance(options, Mapping) else {}
        for key in given if given.get("seeds") else ():
            if key not in cls.model_fields and key in _crawl_options():
                raise ValueError(
                    f"{key}: is an option of the crawl; write it there, as in crawl = {{ {key} = … }}"
                )
        crawl = given.get("crawl")
        if isinstance(crawl, Mapping) and "seeds" in crawl:
            raise ValueError('crawl.seeds: stands beside `use`; write it there, as in seeds = ["https://…"]')
        return options

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (not self.seeds):
            raise ValueError(
                'needs either path ("threads/*.html", saved pages) or seeds (["https://…"], live ones), and not both'
            )
        if self.crawl and not self.seeds:
            raise ValueError("crawl: says how live pages are fetched; it needs seeds")
        if self.seeds:
            self.crawler()  # what is wrong with the options of the crawl is wrong with the recipe
        else:
            self.source()
        return self

    def check(self) -> None:
        """As `crawl` checks itself."""
        if self.seeds:
            self.crawler().check()

    @property
    def gathers(self) -> bool:
        """Whether it crawls."""
        return bool(self.seeds)

    def parts(self, place: Place) -> Sequence[Part]:
        """As `files` or `crawl` cuts them. Raises SourceError as they do."""
        return self.source().parts(place)

    def fetch(self, place: Place, part: Part) -> Iterable[Page]:
        """The pages of a part."""
        return self.source().fetch(place, part)

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """As every plugin's; of the crawl's options those count that count for `crawl`."""
        values = super().identity(without=without)
        if self.seeds and without is not Brings:
            told = self.crawler().identity(without=without)
            values["crawl"] = {key: told[key] for key in sorted(self.crawl) if key in told}
        return values

    def source(self) -> Scraper:
        """Who brings the pages."""
        if self.path is None:
            return self.crawler()
        from plugins.scrapers.files import Files

        return Files(path=self.path, **self.files_options())

    def crawler(self) -> Crawl:
        """Who brings live pages. Raises ValueError for options that are none of its."""
        given = {"sitemaps": False, **self.crawl_options(), **self.crawl, "seeds": self.seeds}
        kind = self.crawl_class()
        try:
            return kind(**given)
        except ValidationError as error:
            faults = [(fault.key, fault.message) for fault in faults_of(error, kind, "crawl")]
            told = [
                f"{key.removeprefix('crawl.') if key == 'crawl.seeds' else key}: {why}" for key, why in faults
            ]
            raise ValueError("; ".join(told)) from None

    def files_options(self) -> dict[str, Any]:
        """Options of `files` besides `path`."""
        return {}

    def crawl_options(self) -> dict[str, Any]:
        """Options of `crawl` where the recipe gives none."""
        return {}

    def crawl_class(self) -> type[Crawl]:
        """The crawl, or one that knows which links to follow."""
        from plugins.scrapers.crawl import Crawl

        return Crawl


def _crawl_options() -> Mapping[str, Any]:
    from plugins.scrapers.crawl import Crawl

    return Crawl.model_fields


__all__ = ["SavedOrLive"]
