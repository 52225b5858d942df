"""Where the recipes that come with gristmill lie: inside `corpus` in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import NotFound

HERE = Path(__file__).resolve().parent


def recipes() -> Path:
    """The folder of shipped recipes: `demo/` and `templates/<name>/`. Raises NotFound where the installation lacks it."""
    places = (HERE / "recipes", HERE.parent / "recipes")
    for place in places:
        if place.is_dir():
            return place
    raise NotFound(
        f"no shipped recipes at {places[0]} or {places[1]}: the installation is incomplete. "
        "Mend it with: pip install --force-reinstall --no-deps gristmill"
    )
