"""A pydantic error in the words of a recipe's author: the dotted key, its value, what is allowed, the nearest match."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.errors import Fault, nearest
from schemas.store import NAME


def faults_of(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[Fault]:
    """Every fault of an error of `model`, whose keys stand below `prefix`."""
    details = error.errors(include_url=False)
    inner = {detail["loc"][0] for detail in details if len(detail["loc"]) > 1}
    # A list whose items are all faulty is also reported as too short: the items say it better.
    told = [detail for detail in details if not (detail["type"] == "too_short" and detail["loc"][0] in inner)]
    return [_fault(detail, model, prefix) for detail in told]


def _fault(detail: Any, model: type[BaseModel], prefix: str) -> Fault:
    where = [part for part in detail["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    key = ".".join([*([prefix] if prefix else []), *(str(part) for part in where)])
    value, kind, context = detail["input"], detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return Fault(key, "is missing")
    if kind == "too_short":
        return Fault(key, f"is empty; the recipe needs at least one [[{key}]] table")
    if kind == "extra_forbidden":
        known = _keys_at(model, where[:-1])
        hint = nearest(str(where[-1]), known) or f"Known here: {', '.join(known)}."
        return Fault(key, f"is not a key of this table. {hint}")
    if kind == "value_error":
        message = str(context["error"])
        inner, _, rest = message.partition(": ")
        if rest and " " not in inner:
            return Fault(".".join(filter(None, [key, inner])), rest)
        return Fault(key or "recipe", message)
    shown = repr(value) if isinstance(value, str) else str(value)
    allowed = _allowed(kind, context, detail["msg"])
    return Fault(key, f"is {shown[:80]}; it must be {allowed}{_guess(value, kind, context)}")


def _allowed(kind: str, context: dict[str, Any], message: str) -> str:
    bounds = {
        "greater_than": "above {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "below {lt}",
        "less_than_equal": "at most {le}",
        "literal_error": "{expected}",
        "string_pattern_mismatch": 'lower-case letters, digits, ".", "_" or "-", at most 64',
    }
    types = {
        "bool": "true or false",
        "int": "a whole number",
        "float": "a number",
        "string": "a text",
        "tuple": "a list",
        "list": "a list",
        "model": "a table",
        "dict": "a table",
        "date": "a day, such as 2020-01-31",
    }
    if kind == "string_pattern_mismatch" and context["pattern"] != f"^{NAME.pattern}$":
        return f"a text that matches {context['pattern']}"
    if kind in bounds:
        return bounds[kind].format(**context)
    head = kind.split("_", maxsplit=1)[0]
    return types.get(head, message[0].lower() + message[1:])


def _guess(value: Any, kind: str, context: dict[str, Any]) -> str:
    """The commonest slip: a percentage where a share is asked, or a misspelt choice."""
    if kind == "literal_error" and isinstance(value, str):
        hint = nearest(
            value, [part.strip(" '") for part in context["expected"].replace(" or ", ",").split(",")]
        )
        return f". {hint}" if hint else ""
    if kind in {"tuple_type", "list_type"} and isinstance(value, str):
        return f': write ["{value}"]'
    limit = context.get("le", context.get("lt"))
    if limit == 1 and isinstance(value, (int, float)) and 1 < value <= 100 and math.isfinite(value):
        return f". Did you mean {value / 100:g}?"
    return ""


def _keys_at(model: type[BaseModel], where: list[int | str]) -> list[str]:
    """The field names of the table at `where` inside `model`."""
    for part in where:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        nested = _model_in(field.annotation) if field else None
        if nested is None:
            return []
        model = nested
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in getattr(annotation, "__args__", ()) if (found := _model_in(arg))), None)
