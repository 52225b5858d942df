"""Whether code is whole, by its syntax tree. Five measures, each a number or a word that a person can check by eye.

    measure        counts
    error_share    bytes inside ERROR nodes, and one for each MISSING token, per byte of code
    unclosed       brackets without their partner, of the code's own: none in strings or comments
    empty_bodies   functions and classes that end where their body should begin: Python's with a docstring or "..." alone, methods that are
                   neither abstract nor an interface's, bodies that hold a placeholder comment ("TODO", "your code here")
    elisions       "..." that stands for code left out: a comment that says no more ("# ...", "// rest of the code"), a bare `...` statement
    cut            how the end looks torn off: "string", "comment", "bracket", "body", "error"; null where it looks whole

Not counted, because whole code does the same: `pass`, empty braces, prototypes of C and C++, overloads of TypeScript, docstring-only
classes, `...` in Python's protocols, abstract methods and overloads. What no grammar can see is not seen: code cut between two
statements of one block in Python, or two lines of a shell script, is valid code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from plugins.code.languages import Language, grammar
from plugins.code.parsing import Unparsed, captures, parse, wrong_bytes, wrong_nodes


@dataclass(frozen=True, slots=True)
class Completeness:
    """The measures of one piece of code; see the module."""

    error_share: float
    unclosed: int
    empty_bodies: int
    elisions: int
    cut: str | None


UNPARSED = Completeness(1.0, 0, 0, 0, "unparsed")

_COMMENTS = {
    "java": "[(line_comment) (block_comment)] @comment",
    "rust": "[(line_comment) (block_comment)] @comment",
}
_BODIES = {
    "python": "(function_definition body: (block) @block) (class_definition body: (block) @block)",
    "java": "(method_declaration !body) @method",
    "csharp": '(method_declaration !body ";" @method)',
    "php": "(method_declaration !body) @method",
    "go": "(function_declaration !body) @method (method_declaration !body) @method",
    "rust": "(function_signature_item) @method",
}
_BARE_ELLIPSIS = "(expression_statement (ellipsis) @elision)"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_OPENERS = ("(", "[", "{", "${", "#{", "$(", "$((", "<(", ">(", "#[", "?[", "?.[")
"""Tokens that open; each grammar is asked for those that it knows."""

_QUOTES = frozenset({"string_start", '"', "'", "`", '"""'})
"""Tokens that open a string; alone in an error, they open one that nothing closes."""
_ELIDED = re.compile(
    r"[\s#/*<!-]*(?:\.{3,}|…|(?:the )?(?:rest|remainder) of (?:the |your |this )?\w+(?: goes)?(?: here)?|(?:existing|other|more|remaining|previous) "
    r"(?:code|methods|functions|fields|imports|properties)(?: (?:goes |stays )?here)?|snip(?:ped)?|omitted(?: for brevity)?)"
    r"(?:[\s.…]*(?:(?:the )?(?:rest|remainder) of [\w ]{1,40}|[\w ]{0,30}\b(?:code|omitted|methods|unchanged|existing)\b[\w ]{0,20}))?[\s.…*/>-]*\Z",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"\btodo\b|\bfixme\b|\.{3}|…|\byour (?:code|implementation|solution)\b|\b(?:implement|fill) (?:this|me|in|here|the)\b",
    re.IGNORECASE,
)
_ABSTRACT = re.compile(rb"\b(?:abstract|native|extern|partial)\b")
_EXCUSED_BASE = re.compile(rb"\b(?:Protocol|ABC|ABCMeta|Interface)\b")
_EXCUSED_MARK = re.compile(rb"\b(?:abstract\w*|overload|typing\.overload)\b")
_INTERFACES = frozenset({
    "interface_body", "annotation_type_body", "interface_declaration", "trait_item", "foreign_mod_item",
})  # fmt: skip
_BODY_KINDS = frozenset({"block", "statement_block", "compound_statement", "body_statement", "class_body"})


def completeness(code: str, language: Language) -> Completeness:
    r"""The measures of `code`, read as `language`. Raises MissingExtra without the grammar.

    >>> from plugins.code.languages import BY_NAME
    >>> completeness("def half(x):\n    return x /", BY_NAME["python"]).cut
    'error'
    """
    data = code.encode()
    try:
        tree, dialect = parse(data, language)
        root = tree.root_node
        wrong = wrong_bytes(root)
    except Unparsed:
        return UNPARSED
    unclosed = _unclosed(root, dialect, language) if wrong else 0
    comments = captures(root, dialect, _COMMENTS.get(language.name, "(comment) @comment")).get("comment", [])
    elisions, placeholders = _comments(comments, data)
    bodies = _empty_bodies(root, dialect, language, data)
    if language.name == "python":
        marks = captures(root, dialect, _BARE_ELLIPSIS).get("elision", [])
        elisions += sum(not _stands_alone(node) for node in marks)
    cut = _cut(root, data, unclosed)
    return Completeness(min(1.0, wrong / max(len(data), 1)), unclosed, bodies + placeholders, elisions, cut)


def _unclosed(root: Any, dialect: tuple[str, str], language: Language) -> int:
    """Brackets without a partner, matched with a stack: a closer takes the nearest opener of its kind, those above it stay open."""
    known = grammar(*dialect)
    openers = " ".join(
        f'"{token}"'
        for token in _OPENERS
        if known.id_for_node_kind(token, False)  # noqa: FBT003 - it takes no keywords
    )
    found = captures(root, dialect, f'[{openers}] @open [")" "]" "}}"] @close')
    tokens = sorted(
        (node.start_byte, node.type)
        for nodes in found.values()
        for node in nodes
        if not node.is_missing and not (language.name == "bash" and _pattern_end(node))
    )
    waiting: list[str] = []
    alone = 0
    for _, token in tokens:
        if token not in _PAIRS:
            waiting.append(token[-1])
        elif _PAIRS[token] in waiting:
            while waiting.pop() != _PAIRS[token]:
                alone += 1
        else:
            alone += 1
    return alone + len(waiting)


def _pattern_end(node: Any) -> bool:
    """The ")" behind a pattern of Bash's `case` has no partner."""
    return node.type == ")" and node.parent is not None and node.parent.type == "case_item"


def _comments(comments: list[Any], code: bytes) -> tuple[int, int]:
    """Comments that stand for code left out; bodies that hold nothing but a comment that says what should stand there."""
    elided = placeholders = 0
    for node in comments:
        text = code[node.start_byte : min(node.end_byte, node.start_byte + 300)].decode(errors="replace")
        if node.end_byte - node.start_byte <= 200 and _ELIDED.match(text):
            elided += 1
        elif _PLACEHOLDER.search(text) and _only_comments(node.parent):
            placeholders += 1
    return elided, placeholders


def _only_comments(body: Any) -> bool:
    return (
        body is not None
        and body.type in _BODY_KINDS
        and body.named_child_count <= 8
        and all("comment" in child.type for child in body.named_children)
    )


def _empty_bodies(root: Any, dialect: tuple[str, str], language: Language, code: bytes) -> int:
    query = _BODIES.get(language.name)
    if query is None:
        return 0
    found = captures(root, dialect, query)
    methods = sum(not _excused(node, code) for node in found.get("method", []))
    return methods + sum(_bodyless(block, code) for block in found.get("block", []))


def _excused(method: Any, code: bytes) -> bool:
    """Whether this method needs no body: abstract, native, or an interface's."""
    if method.type == ";":
        method = method.parent
    above = method.parent
    for _ in range(2):
        if above is not None and above.type in _INTERFACES:
            return True
        above = above.parent if above is not None else None
    name = method.child_by_field_name("name")
    head = code[method.start_byte : name.start_byte if name is not None else method.end_byte]
    return bool(_ABSTRACT.search(head))


def _bodyless(block: Any, code: bytes) -> bool:
    """Python: a block of nothing, or a function's of a docstring and `...` at most, unless the function may be so."""
    count = block.named_child_count
    if count == 0:
        return True
    function = block.parent
    if count > 4 or function.type != "function_definition":
        return False
    statements = [child for child in block.named_children if child.type != "comment"]
    if not all(_says_nothing(child) for child in statements):
        return False
    decorated = function.parent
    if decorated is not None and decorated.type == "decorated_definition":
        if _EXCUSED_MARK.search(code[decorated.start_byte : function.start_byte]):
            return False
        function = decorated
    outer = function.parent.parent if function.parent is not None else None
    if outer is not None and outer.type == "class_definition":
        bases = outer.child_by_field_name("superclasses")
        return bases is None or not _EXCUSED_BASE.search(code[bases.start_byte : bases.end_byte])
    return True


def _says_nothing(statement: Any) -> bool:
    if statement.type in {"import_statement", "import_from_statement"}:
        return True
    if statement.type != "expression_statement" or statement.named_child_count != 1:
        return False
    return statement.named_children[0].type in {"string", "concatenated_string", "ellipsis"}


def _stands_alone(ellipsis: Any) -> bool:
    """Whether `...` is all that its block says beside a docstring: a stub's body, counted there."""
    block = ellipsis.parent.parent
    return block is not None and block.type == "block" and all(map(_says_nothing, block.named_children))


def _cut(root: Any, code: bytes, unclosed: int) -> str | None:
    """How the end looks torn off; None where the last thing written is whole."""
    end = len(code.rstrip())
    if root.has_error:
        errors, missing = wrong_nodes(root)
        last_line = code.rfind(b"\n", 0, end) + 1
        open_ends = [
            node for node in errors if node.end_byte >= end or node.start_byte >= last_line or node == root
        ]
        if any(node.child_count == 1 and node.children[0].type in _QUOTES for node in errors):
            return "string"
        if open_ends or any(node.start_byte >= end for node in missing):
            return _kind_of_cut(open_ends, code, unclosed)
    node = root
    while node.child_count:
        node = node.children[-1]
    return "body" if node.type == "block" else None


def _kind_of_cut(nodes: list[Any], code: bytes, unclosed: int) -> str:
    text = code[nodes[-1].start_byte :].lstrip() if nodes else b""
    if text[:2] in {b"/*", b"<!"}:
        return "comment"
    if text[:1] in {b'"', b"'", b"`"}:
        return "string"
    return "bracket" if unclosed else "error"
