"""The JSON Schema of a recipe, for editors that complete and check TOML while it is typed.

Made from the same pydantic models that check the recipe, and from the plugins that are installed: a table that names a
plugin is one of its alternatives, told apart by `use`. Alternatives (`oneOf`) rather than conditions (`if`/`then`), since
the TOML language servers complete keys from the former only. Names of plugins are closed only in a recipe without
`plugins = […]`: a local file may bring more. The dialect is JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from schemas.recipe import Recipe, Step, Tokens, Train

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Plugins = Mapping[str, Mapping[str, type[BaseModel] | None]]
"""Kind ("cleaner") to name ("unicode") to the model of its options; None where its module cannot be imported."""

JsonSchema = dict[str, Any]

_TABLES = {
    "scraper": "Source",
    "extractor": "Extract",
    "cleaner": "Step",
    "filter": "Step",
    "format": "Step",
    "backend": "Step",
    "optimizer": "Step",
    "callback": "Step",
}
"""Kind → the model whose own keys its table has beside the plugin's options."""


def recipe_schema(plugins: Plugins) -> JsonSchema:
    """A schema that accepts what `plugins.registry.load_recipe` accepts, as far as one table at a time can say.

    What spans tables (`val + test < 1`, two sources of one name) is left to the build.
    """
    schema = Recipe.model_json_schema()
    definitions: JsonSchema = schema.pop("$defs")
    own = {kind: definitions[table]["properties"] for kind, table in _TABLES.items()}
    for table in set(_TABLES.values()):
        del definitions[table]
    for kind in _TABLES:
        known = plugins.get(kind, {})
        definitions[kind] = _choice(kind, known, own[kind])
        for name, model in known.items():
            definitions |= _options(kind, name, model, own[kind])
    _refer(schema["properties"], definitions)
    schema |= {"$defs": definitions, "title": "A gristmill recipe", **_closed(plugins)}
    return {"$schema": DIALECT, **_without_null(schema)}


def _choice(kind: str, known: Mapping[str, Any], own: JsonSchema) -> JsonSchema:
    """Any plugin of a kind: one alternative each, and one for those a local file brings."""
    stranger = {
        "type": "object",
        "properties": {**own, "use": {"type": "string", "not": {"enum": sorted(known)}}},
        "required": ["use"],
    }
    return {"oneOf": [*({"$ref": f"#/$defs/{_key(kind, name)}"} for name in known), stranger]}


def _options(kind: str, name: str, model: type[BaseModel] | None, own: JsonSchema) -> JsonSchema:
    """The definition of one plugin's table, and those it refers to."""
    key = _key(kind, name)
    options = model.model_json_schema(ref_template=f"#/$defs/{key}.{{model}}") if model else {}
    inner = {f"{key}.{title}": value for title, value in options.pop("$defs", {}).items()}
    about = (options.get("description") or "").split("\n\n")[0].replace("\n", " ")
    table: JsonSchema = {
        "type": "object",
        "title": f"{kind} {name}",
        "description": about,
        "properties": {**own, "use": {"const": name, "description": about}, **options.get("properties", {})},
        "required": sorted({*options.get("required", []), *_named(own, name)}),
        "additionalProperties": model is None,
    }
    return {key: table, **inner}


def _named(own: JsonSchema, name: str) -> list[str]:
    """`use` must be written, except for the plugin that is meant without it."""
    return [] if own["use"].get("default") == name else ["use"]


def _key(kind: str, name: str) -> str:
    return f"{kind}.{name}"


def _refer(recipe: JsonSchema, definitions: JsonSchema) -> None:
    """Let every table that names a plugin point to the alternatives of its kind."""
    for section, kind in (("source", "scraper"), ("clean", "cleaner"), ("filter", "filter")):
        recipe[section]["items"] = {"$ref": f"#/$defs/{kind}"}
    recipe["extract"] = {**recipe["extract"], "$ref": "#/$defs/extractor"}
    definitions[Train.__name__]["properties"]["callback"]["items"] = {"$ref": "#/$defs/callback"}
    for table, key, kind in (
        (Tokens, "format", "format"),
        (Train, "backend", "backend"),
        (Train, "optimizer", "optimizer"),
    ):
        properties = definitions[table.__name__]["properties"]
        kept = {name: properties[key][name] for name in ("default", "description") if name in properties[key]}
        if isinstance(kept.get("default"), dict):
            kept["default"] = Step.model_validate(kept["default"]).use
        properties[key] = {**kept, "anyOf": [{"type": "string"}, {"$ref": f"#/$defs/{kind}"}]}


def _closed(plugins: Plugins) -> JsonSchema:
    """Only installed names, in a recipe that brings no plugin file of its own. Optimisers stay open: transformers knows more."""
    names = {kind: sorted(plugins.get(kind, {})) for kind in _TABLES}
    named = {kind: {"properties": {"use": {"enum": listed}}} for kind, listed in names.items()}
    text_format = {"if": {"type": "string"}, "then": {"enum": names["format"]}, "else": named["format"]}
    backends = ["auto", *names["backend"]]
    backend = {
        "if": {"type": "string"},
        "then": {"enum": backends},
        "else": {"properties": {"use": {"enum": backends}}},
    }
    strict = {
        "source": {"items": named["scraper"]},
        "extract": named["extractor"],
        "clean": {"items": named["cleaner"]},
        "filter": {"items": named["filter"]},
        "tokens": {"properties": {"format": text_format}},
        "train": {"properties": {"backend": backend, "callback": {"items": named["callback"]}}},
    }
    return {"if": {"not": {"required": ["plugins"]}}, "then": {"properties": strict}}


def _without_null(value: Any) -> Any:
    """TOML has no null: an option is left out instead, so neither is null offered nor shown as a default.

    A whole table's default goes too: what its keys fall back to stands with the keys.
    """
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {
        key: {name: _without_null(schema) for name, schema in item.items()}
        if key in _BY_NAME
        else _without_null(item)
        for key, item in value.items()
        if not (key == "default" and (item is None or isinstance(item, dict)))
    }
    choices = plain.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del plain["anyOf"]
        plain = {**rest[0], **plain} if len(rest) == 1 else {**plain, "anyOf": rest}
    return plain


_BY_NAME = ("properties", "$defs")
"""Keywords whose keys are names a recipe uses, not keywords."""
