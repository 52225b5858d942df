"""The licence of a base model, as its own card states it; what is made of the model keeps it."""

from __future__ import annotations

from pathlib import Path

from plugins.models import ORIGIN, read_json
from trainer.record import RunRecord

CARD = "README.md"
KNOWN_LICENSES = {"smollm2-135m": "apache-2.0"}
"""Of models whose folder, made from a wheel, brings no card of its own."""
KEYS = ("license", "license_name", "license_link")
"""The Hub's; a licence that its list has not is "other", with a name and a link."""


def licence_of(record: RunRecord, base: Path) -> dict[str, str]:
    """`license`, where it has one `license_name` and `license_link`, from the card in the folder `base`, or where gristmill knows it. Where
    neither says: other, with the name "not-stated"."""
    told = _of_card(base / CARD)
    if "license" not in told:
        # A base that is no longer there tells nothing.
        kept = read_json(base / ORIGIN).get("license") if (base / ORIGIN).is_file() else None
        kept = kept if isinstance(kept, str) else KNOWN_LICENSES.get(record.base.name)
        told = {"license": kept} if kept else {"license": "other", "license_name": "not-stated"}
    if told["license"] == "other":
        told.setdefault("license_name", "not-stated")
    return told


def _of_card(card: Path) -> dict[str, str]:
    import yaml  # type: ignore[import-untyped]  # huggingface_hub's, which reads cards by it
    from huggingface_hub import metadata_load

    try:
        found = (metadata_load(card) or {}) if card.is_file() else {}
    except (ValueError, yaml.YAMLError):  # somebody else's file, which need not be one
        found = {}
    return {key: found[key] for key in KEYS if isinstance(found.get(key), str)}
