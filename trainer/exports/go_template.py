"""Go templates, as much of them as `ollama.py` writes: enough to prove a TEMPLATE without Ollama.

Text, quoted strings, fields (`.System`, `$.System`), variables, `if`, `else if`, `else`, `range`, and the functions eq, not, and, gt, len and slice.
The tests hold it against Go's own text/template where a Go compiler is installed. Rejected: running Ollama. Its program
cannot be asked what a template renders without loading the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

ACTION = re.compile(r'\{\{(- )?\s*((?:"(?:[^"\\]|\\.)*"|[^"{}])*?)\s*( -)?\}\}')
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|:=|[(),=]|[^\s(),="]+')


class GoFault(ValueError):
    """A template that is none, or uses more than is known here."""


@dataclass
class Node:
    """One action with what it encloses."""

    kind: str
    """text | put | set | if | range."""
    told: Any = None
    body: list[Node] = field(default_factory=list)
    other: list[Node] = field(default_factory=list)


def render(template: str, data: dict[str, Any]) -> str:
    """What Go makes of `template` for `data`; messages are dicts with Role and Content. Raises GoFault."""
    nodes, end = _parse(iter(_pieces(template)))
    if end is not None:
        raise GoFault(f"{{{{ {end} }}}} closes nothing")
    out: list[str] = []
    _run(nodes, data, {"$": data}, out)
    return "".join(out)


def _pieces(template: str) -> Iterator[tuple[str, str]]:
    at, trim = 0, False
    for found in ACTION.finditer(template):
        text = template[at : found.start()]
        text = text.lstrip() if trim else text
        yield "text", text.rstrip() if found[1] else text
        yield "action", found[2]
        at, trim = found.end(), bool(found[3])
    yield "text", template[at:].lstrip() if trim else template[at:]


def _parse(pieces: Iterator[tuple[str, str]]) -> tuple[list[Node], str | None]:
    """Nodes up to what closes them, and that."""
    nodes: list[Node] = []
    for kind, text in pieces:
        if kind == "text":
            nodes.append(Node("text", text))
            continue
        word, _, rest = text.partition(" ")
        if word in {"end", "else"}:
            return nodes, text
        if word == "if":
            nodes.append(_branch(rest, pieces))
        elif word == "range":
            body, _ = _parse(pieces)
            nodes.append(Node("range", rest, body))
        elif re.match(r"\$\w+ :?= ", text):
            nodes.append(Node("set", text))
        else:
            nodes.append(Node("put", text))
    return nodes, None


def _branch(told: str, pieces: Iterator[tuple[str, str]]) -> Node:
    body, end = _parse(pieces)
    node = Node("if", told, body)
    if end is None:
        raise GoFault(f"{{{{ if {told} }}}} is never closed")
    if end.startswith("else if "):
        node.other = [_branch(end.removeprefix("else if "), pieces)]
    elif end == "else":
        node.other, _ = _parse(pieces)
    return node


def _run(nodes: list[Node], dot: Any, names: dict[str, Any], out: list[str]) -> None:
    for node in nodes:
        if node.kind == "text":
            out.append(node.told)
        elif node.kind == "put":
            value = _value(node.told, dot, names)
            out.append(value if isinstance(value, str) else str(value).lower())
        elif node.kind == "set":
            name, _, told = node.told.partition("=")
            names[name.strip(": ")] = _value(told.strip(), dot, names)
        elif node.kind == "if":
            _run(node.body if _value(node.told, dot, names) else node.other, dot, names, out)
        else:
            index, told = re.fullmatch(r"(\$\w+), \$_ := (.*)", node.told).groups()  # type: ignore[union-attr]
            for n, one in enumerate(_value(told, dot, names)):
                names[index] = n
                _run(node.body, one, names, out)


def _value(told: str, dot: Any, names: dict[str, Any]) -> Any:
    words = TOKEN.findall(told)
    value = _call(words, dot, names)
    if words:
        raise GoFault(f"{{{{ {told} }}}} is more than is known here")
    return value


def _call(words: list[str], dot: Any, names: dict[str, Any]) -> Any:
    """A function with its arguments, or one value, up to ")" or the end."""
    values = []
    function = words.pop(0) if words and words[0] in _FUNCTIONS else None
    while words and words[0] != ")":
        word = words.pop(0)
        if word == "(":
            values.append(_call(words, dot, names))
            words.pop(0)
        else:
            values.append(_plain(word, dot, names))
    if function is None:
        (value,) = values
        return value
    return _FUNCTIONS[function](*values)


def _plain(word: str, dot: Any, names: dict[str, Any]) -> Any:
    if word.startswith('"'):
        return json.loads(word)
    if word in {"true", "false"}:
        return word == "true"
    if word.isdecimal():
        return int(word)
    if word.startswith((".", "$.")):
        return (dot if word[0] == "." else names["$"]).get(word.lstrip("$").removeprefix("."), "")
    if word in names:
        return names[word]
    raise GoFault(f"{word} is not known")


_FUNCTIONS: dict[str, Any] = {
    "eq": lambda a, b: a == b,
    "not": lambda a: not a,
    "and": lambda *of: next((one for one in of if not one), of[-1]),
    "gt": lambda a, b: a > b,
    "len": lambda a: len(a.encode()) if isinstance(a, str) else len(a),
    "slice": lambda a, start, end=None: (
        a.encode()[start:end].decode(errors="replace") if isinstance(a, str) else a[start:end]
    ),
}
