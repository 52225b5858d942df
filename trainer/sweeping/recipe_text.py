"""Values put into a recipe's text, everything else in it left as its author wrote it: comments, order, spacing.

What is changed is one statement a key: its value where the key stands, the whole inline table where it stands in one, or a new line
at the end of its table. The result is parsed and compared with what it should say, so a form that is not understood is an error and
never a wrong recipe. Rejected: writing the recipe anew from its model, which loses every comment; tomlkit, one more dependency.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import UserError
from schemas.recipe import Step, Train

HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(#.*)?$")
ARRAY = re.compile(r"\s*\[\[.+\]\]\s*(#.*)?$")
STATEMENT = re.compile(r"\s*([A-Za-z0-9_\"'-][^=#]*?)\s*=")

Path = tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """`key = value` in lines first to last (not with it), with the whole dotted key."""

    path: Path
    first: int
    last: int


def with_values(text: str, values: Mapping[str, Any]) -> str:
    r"""The recipe `text` with the value of each dotted key, such as "train.lora.r", in it. Raises UserError where that cannot be written.

    >>> with_values("[train]\nepochs = 1  # few", {"train.epochs": 3})
    '[train]\nepochs = 3  # few'
    """
    tables = tomllib.loads(text)
    wanted = copy.deepcopy(tables)
    paths = {tuple(key.split(".")): value for key, value in values.items()}
    for path, value in paths.items():
        put(wanted, path, value)
    for path, value in paths.items():
        if (
            not _has(tables, path) or _at(tables, path) != value
        ):  # what it says already stays as it is written
            text = _written(text, path, wanted)
            if _parsed(text) is None:
                break
    if _parsed(text) != wanted:
        raise UserError(
            f"{', '.join(values)} cannot be written into this recipe as it stands. Write [train] with a line for each key, "
            "such as: learning_rate = 2e-4"
        )
    return text


def changed(before: str, after: str) -> list[str]:
    r"""The lines of a recipe that another lacks, each under the header it stands under there: to be pasted.

    >>> changed("[split]\nseed = 1\n[train]\nseed = 7", "[split]\nseed = 1\n[train]\nseed = 1")
    ['[train]', 'seed = 1']
    """
    old, new = before.split("\n"), after.split("\n")
    found: list[str] = []
    shown = ""
    for tag, _, _, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for n in range(first, last) if tag in {"replace", "insert"} else ():
            over = next((line.strip() for line in reversed(new[: n + 1]) if _header(line)), "")
            if _header(new[n]) or not new[n].strip():
                continue  # a header is shown with the first line below it
            found += [over, new[n]] if over != shown else [new[n]]
            shown = over
    return found


def put(tables: dict[str, Any], path: Path, value: Any) -> None:
    """Set a dotted key. A switch or a bare name on the way becomes the table it stands for. Raises UserError below a plain value."""
    node = tables
    for depth, part in enumerate(path[:-1], 1):
        below = node.get(part)
        if below is None:
            below = _usual(path[:depth])
        elif isinstance(below, str):
            below = {"use": below}
        elif isinstance(below, bool):
            below = {}
        if not isinstance(below, dict):
            raise UserError(
                f"{'.'.join(path)} is below {'.'.join(path[:depth])}, which is {below!r} and no table."
            )
        node[part] = below
        node = below
    node[path[-1]] = value


def literal(value: Any) -> str:
    """A value as TOML writes it.

    >>> literal({"r": 8, "targets": ["q_proj"], "dora": True})
    '{ r = 8, targets = ["q_proj"], dora = true }'
    """
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(name)} = {literal(below)}" for name, below in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _usual(path: Path) -> dict[str, Any]:
    """The table a key that is not there stands for: of a plugin with the name it has by default."""
    default = getattr(Train(), path[1], None) if len(path) == 2 and path[0] == "train" else None
    return {"use": default.use} if isinstance(default, Step) else {}


def _written(text: str, path: Path, wanted: Mapping[str, Any]) -> str:
    lines = text.split("\n")
    statements = list(_statements(lines))
    over = next((one for one in statements if path[: len(one.path)] == one.path), None)
    if over is not None:
        old = "\n".join(lines[over.first : over.last])
        head = old[: old.index("=") + 1]
        lines[over.first : over.last] = [f"{head} {literal(_at(wanted, over.path))}{_comment(old)}"]
        return "\n".join(lines)
    tables = tomllib.loads(text)
    depth = next(n for n in range(1, len(path) + 1) if not _has(tables, path[:n]) or n == len(path))
    headers = [(one, n) for n, one in enumerate(map(_header, lines)) if one and path[: len(one)] == one and len(one) < max(depth, 2)]  # fmt: skip
    rooted = [one for one in _rooted(lines, statements) if one.path[0] == path[0]]
    if not headers and rooted:
        depth = max(depth, 2)
        new = f"{'.'.join(map(_key, path[:depth]))} = {literal(_at(wanted, path[:depth]))}"
        lines.insert(rooted[-1].last, new)
        return "\n".join(lines)
    if not headers:
        key = ".".join(map(_key, path[1 : max(depth, 2)]))
        told = literal(_at(wanted, path[: max(depth, 2)]))
        return f"{text.rstrip()}\n\n[{path[0]}]\n{key} = {told}\n"
    header, line = max(headers, key=lambda found: len(found[0]))
    depth = max(depth, len(header) + 1)
    ends = [one.last for one in statements if one.first > line and _of(one, header, lines, line)]
    new = f"{'.'.join(map(_key, path[len(header) : depth]))} = {literal(_at(wanted, path[:depth]))}"
    lines.insert(max([line + 1, *ends]), new)
    return "\n".join(lines)


def _rooted(lines: list[str], statements: list[Statement]) -> list[Statement]:
    """The statements above every header, whose keys are dotted: `train.epochs = 3`."""
    first = next((n for n, line in enumerate(lines) if _header(line) or ARRAY.match(line)), len(lines))
    return [one for one in statements if one.first < first]


def _statements(lines: list[str]) -> Iterator[Statement]:
    """Every `key = value` that is in no array of tables, in order."""
    table: Path | None = ()
    line = 0
    while line < len(lines):
        if ARRAY.match(lines[line]):
            table = None
        elif header := _header(lines[line]):
            table = header
        elif STATEMENT.match(lines[line]):
            last = line + 1
            while last <= len(lines) and (found := _parsed("\n".join(lines[line:last]))) is None:
                last += 1
            if table is not None and found is not None:
                yield Statement(table + _path(found, lines[line]), line, last)
            line = last
            continue
        line += 1


def _of(statement: Statement, header: Path, lines: list[str], line: int) -> bool:
    """Whether a statement stands under the header in that line, and no other header between."""
    between = lines[line + 1 : statement.first]
    return statement.path[: len(header)] == header and not any(
        _header(one) or ARRAY.match(one) for one in between
    )


def _header(line: str) -> Path | None:
    found = HEADER.match(line)
    tables = _parsed(f"{found[1]} = 0") if found else None
    return _path(tables, f"{found[1]} = 0") if found and tables is not None else None


def _path(tables: dict[str, Any], line: str) -> Path:
    """The dotted key of a parsed statement: as deep as its key has parts, since its value may be a table too."""
    parts = 0
    probe = _parsed(f"{line.partition('=')[0]} = 0") or tables
    path: list[str] = []
    node: Any = probe
    while isinstance(node, dict) and node and parts < 16:
        name = next(iter(node))
        path.append(name)
        node = node[name]
        parts += 1
    return tuple(path)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _comment(statement: str) -> str:
    """The comment behind a statement, with the blanks before it."""
    last = statement.rpartition("\n")[2]
    value = _parsed(statement)
    for at in (n for n, letter in enumerate(last) if letter == "#"):
        before = statement[: len(statement) - len(last) + at]
        if _parsed(before) == value:
            return before[len(before.rstrip()) :] + last[at:]
    return ""


def _at(tables: Mapping[str, Any], path: Path) -> Any:
    node: Any = tables
    for part in path:
        node = node[part]
    return node


def _has(tables: Mapping[str, Any], path: Path) -> bool:
    try:
        _at(tables, path)
    except (KeyError, TypeError):
        return False
    return True


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
