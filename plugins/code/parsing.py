"""Source text → syntax tree, within a budget that does not depend on the machine.

tree-sitter recovers from every error, and for hostile input recovery can take for ever. It is not stopped by a clock, which would make the
result depend on the machine (law 2), but by what it does: the same text stops at the same place everywhere.

    bound                 against                                                             ordinary code
    steps of the parser   ambiguity: "a<b>c<a<b>c<" (one in 12 bytes)                         one in 100 bytes
    bytes read again      scanners that look for an end that never comes: 40 KB of NUL        hardly any
    depth of brackets     what is quadratic in depth: 40 KB of "%w(" as C++ take 4 s          a dozen
    tokens in an error    queries, quadratic in tokens side by side: 100 KB of "(" take 28 s  some hundred
"""

from __future__ import annotations

from functools import cache
from typing import Any

from plugins.code.languages import Language, grammar

MAX_BYTES = 1 << 20
"""Longer code is not parsed: the worst that was tried takes 20 s for so much, ordinary code 0.1 to 0.6 s."""
SPARE_STEPS = 5_000
BYTES_A_STEP = 16
"""The budget: so many steps, and one more for so many bytes of code."""
READ_A_STEP = 100
"""Reading so many bytes costs a step too: the parser asks again for what a scanner ran through and gave back."""
MAX_DEPTH = 500
"""Brackets inside brackets, those in strings and comments among them."""
MAX_LOOSE = 4096
"""More tokens in one error are no code that was broken, but none."""
SLICE = 64 << 10
"""Bytes handed over at a time: the parser reports progress only where it asks for its source."""


class Unparsed(ValueError):
    """The code is too long, or its parse ran out of budget."""


def parse(code: bytes, language: Language) -> tuple[Any, tuple[str, str]]:
    """The tree in the dialect with the fewest bytes in error, the first of two equals, and that dialect. Raises Unparsed."""
    if len(code) > MAX_BYTES:
        raise Unparsed(f"{len(code)} bytes; at most {MAX_BYTES} are parsed")
    if (depth := _depth(code)) > MAX_DEPTH:
        raise Unparsed(f"brackets nested {depth} deep; at most {MAX_DEPTH} are parsed")
    best: tuple[int, Any, tuple[str, str]] | None = None
    for dialect in _dialects(code, language):
        tree = _parsed(code, dialect)
        wrong = len(code) + 1 if tree is None else wrong_bytes(tree.root_node)
        if tree is not None and wrong == 0:
            return tree, dialect
        if tree is not None and (best is None or wrong < best[0]):
            best = wrong, tree, dialect
    if best is None:
        raise Unparsed(f"no parse within {_budget(code)} steps")
    return best[1], best[2]


def wrong_bytes(root: Any) -> int:
    """Bytes inside ERROR nodes, and one for each token that the parser had to invent. Raises Unparsed as `wrong_nodes`."""
    if not root.has_error:
        return 0
    errors, missing = wrong_nodes(root)
    wrong, reached = len(missing), 0
    for node in errors:
        wrong += max(0, node.end_byte - max(node.start_byte, reached))
        reached = max(reached, node.end_byte)
    return max(wrong, 1)


def wrong_nodes(root: Any) -> tuple[list[Any], list[Any]]:
    """ERROR nodes and MISSING ones, each in the order of the text. Raises Unparsed for an ERROR of more than MAX_LOOSE parts.

    Not by a query: tree-sitter 0.26 takes quadratic time for one over many tokens side by side, as in 1 MB of "(" (30 s for 100 KB).
    """
    errors, missing, waiting = [], [], [root]
    while waiting:
        node = waiting.pop()
        if node.is_missing:
            missing.append(node)
            continue
        if node.is_error:
            errors.append(node)
            if node.child_count > MAX_LOOSE:
                raise Unparsed(f"{node.child_count} tokens side by side that make no syntax")
        waiting += [child for child in reversed(node.children) if child.has_error]
    return errors, missing


def captures(root: Any, dialect: tuple[str, str], query: str) -> dict[str, list[Any]]:
    """Nodes by name of capture, each list in the order of the text."""
    import tree_sitter

    found: dict[str, list[Any]] = tree_sitter.QueryCursor(_query(dialect, query)).captures(root)
    return {name: sorted(nodes, key=lambda node: node.start_byte) for name, nodes in found.items()}


@cache
def _query(dialect: tuple[str, str], query: str) -> Any:
    import tree_sitter

    return tree_sitter.Query(grammar(*dialect), query)


def _dialects(code: bytes, language: Language) -> tuple[tuple[str, str], ...]:
    """PHP without an opening tag is a snippet; with one, the other dialect has nothing to say."""
    if language.name == "php":
        return language.grammars[:1] if b"<?" in code else language.grammars[1:]
    return language.grammars


def _budget(code: bytes) -> int:
    return SPARE_STEPS + len(code) // BYTES_A_STEP


def _parsed(code: bytes, dialect: tuple[str, str]) -> Any:
    """The tree; None where the budget is spent."""
    parser = _parser(dialect)
    left = _budget(code)

    def spent(_offset: int, _error: bool) -> bool:  # noqa: FBT001 - tree-sitter's signature
        nonlocal left
        left -= 1
        return left < 0

    def read(offset: int, _point: Any) -> bytes:
        nonlocal left
        piece = code[offset : offset + SLICE] if left >= 0 else b""
        left -= 1 + len(code) // READ_A_STEP if offset >= len(code) else 1
        return piece

    try:
        tree = parser.parse(read, progress_callback=spent)
    except ValueError:  # what py-tree-sitter raises where the callback stopped it
        return None
    finally:
        parser.reset()
    return tree if left >= 0 else None


def _depth(code: bytes) -> int:
    """How deep brackets of any kind stand in one another, counted without reading the code."""
    import numpy as np

    steps = np.zeros(256, np.int8)
    steps[list(b"([{")], steps[list(b")]}")] = 1, -1
    depths = np.cumsum(steps[np.frombuffer(code, np.uint8)], dtype=np.int32)
    return int(depths.max(initial=0) - min(0, int(depths.min(initial=0))))


@cache
def _parser(dialect: tuple[str, str]) -> Any:
    import tree_sitter

    return tree_sitter.Parser(grammar(*dialect))
