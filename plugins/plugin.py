"""What every plugin is, of whatever kind: a frozen pydantic model whose fields are its options, and marks on them.

A model rather than a plain class, so that the options a recipe gives are typed, checked and told without a line of the author's own.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Locates:
    """Marks an option that says where, not what, as in `path: Annotated[str, Locates()]`; it is no part of identity."""


class Beside(Locates):
    """Marks an option that names files, one or a list of them, relative to the recipe, as in `words: Annotated[str | None, Beside()]`.

    The registry checks that they exist and hands the plugin absolute paths; their content is part of identity, where they lie is not.
    Values in `known` are names of what is built in, not of files.
    """

    def __init__(self, *known: str) -> None:
        self.known = frozenset(known)


class Threshold:
    """Marks an option of a filter or a learner that only decides; moving it recomputes no score, and no count."""


class Brings:
    """Marks a scraper's option that says which pages it brings, not how `parse` reads them; moving it parses no page again."""


class Plugin(BaseModel):
    """Base of all kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    name: ClassVar[str]
    """What a recipe writes after `use`."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Distributions whose version can change the result."""
    kernels: ClassVar[tuple[str, ...]] = ()
    """Modules whose source can change the result, such as "plugins.kernels.words"."""
    argument: ClassVar[str | None] = None
    """The option that `use` itself may give behind a colon, as in `use = "datatrove:C4BadWordsFilter"`."""

    @classmethod
    def marked(cls, *markers: type[Locates | Threshold | Brings]) -> set[str]:
        """The options that carry one of these markers, or one derived from it."""
        return {
            key
            for key, info in cls.model_fields.items()
            if any(issubclass(m if isinstance(m, type) else type(m), markers) for m in info.metadata)
        }

    def check(self) -> None:
        """Called when the recipe is read, the files it names in place: raise ValueError for what cannot work. Be quick."""

    def identity(self, *, without: type[Locates | Threshold | Brings] | None = None) -> dict[str, Any]:
        """The options that make this plugin what it is, defaults included, as JSON values."""
        hidden = self.marked(Locates, *([without] if without else []))
        return self.model_dump(mode="json", exclude=hidden)
