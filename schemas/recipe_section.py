"""What every table of a recipe is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the recipe: frozen, and unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Step(BaseModel):
    """A table that names a plugin: `use`, and the plugin's own options beside it."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    use: str
    """Name of the plugin; `gristmill plugins` lists them."""

    @property
    def options(self) -> dict[str, Any]:
        """The plugin's options as the recipe gives them."""
        return dict(self.model_extra or {})


def switch(value: Any) -> Any:
    """`true` and `false` for a table that has defaults."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value
