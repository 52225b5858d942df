"""Code blocks of a page: where they are, what they say, in which language; and the fence that holds them.

A block's text is its DOM text with `<br>` and lines that are elements of their own (`<div>`, `<li>`, `<tr>`) as line ends, less what is shown
beside code and is none: line numbers, copy buttons. Colours are spans and vanish. Nothing else is touched: no blank, tab or empty line.

    block                                                  seen at
    <pre>                                                  everywhere
    a table with a column of line numbers                  Pygments, Rouge, SyntaxHighlighter; GitHub's files
    lines that are <pre> or <div>, in one container        CodeMirror, Monaco
    <code> of several lines outside <pre>                  hand-made pages
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

BLOCK_LINES = frozenset({"div", "p", "li", "tr", "ol", "ul", "table", "tbody", "pre"})
_EMPTY_LINES = frozenset({"div", "li", "p", "pre"})
"""Elements that are a line though they hold nothing."""
ENTERING = -1
_SILENT = frozenset({"script", "style", "button", "template", "select", "svg"})
_BESIDE = re.compile(
    r"(?:^|[\s_-])(?:lineno?s?|line-?num(?:ber)?s?(?:-rows)?|linenodiv|gutter|blob-num|rouge-gutter|hljs-ln-numbers|copy(?:-?btn|-?button|-to-clipboard|-code)?|clipboard(?:-copy)?|btn-copy"
    r"|code-?copy|toolbar)(?:$|[\s_-])",
    re.IGNORECASE,
)
_CONTAINER = re.compile(
    r"(?:^|\s)(?:CodeMirror-code|cm-content|view-lines|js-file-line-container|highlighttable|rouge-table|syntaxhighlighter|codehilitetable|hljs-ln)(?:$|\s)"
)
_STATED = re.compile(
    r"(?:^|[\s])(?:lang(?:uage)?|highlight-source|highlight-text|highlight|sourceCode|src)[-:]\s*([\w+#.]+(?:-[\w+#.]+)*)|\bbrush\s*:\s*([\w+#.-]+)",
    re.IGNORECASE,
)
_NONE = frozenset({
    "default", "none", "text", "plain", "plaintext", "txt", "nohighlight", "notranslate", "source", "code", "highlight", "output", "example",
})  # fmt: skip
_BARE = frozenset([
    "bash",
    "shell",
    "sh",
    "console",
    "zsh",
    "powershell",
    "python",
    "py",
    "pycon",
    "javascript",
    "js",
    "typescript",
    "ts",
    "jsx",
    "tsx",
    "json",
    "yaml",
    "yml",
    "toml",
    "ini",
    "xml",
    "html",
    "css",
    "scss",
    "less",
    "sql",
    "java",
    "kotlin",
    "scala",
    "groovy",
    "c",
    "cpp",
    "c++",
    "csharp",
    "cs",
    "go",
    "golang",
    "rust",
    "rs",
    "swift",
    "ruby",
    "rb",
    "php",
    "perl",
    "lua",
    "r",
    "julia",
    "haskell",
    "elixir",
    "erlang",
    "clojure",
    "dockerfile",
    "makefile",
    "diff",
    "http",
    "graphql",
    "vue",
    "svelte",
    "dart",
    "objc",
    "matlab",
    "latex",
])
_BACKTICKS = re.compile("`{3,}")


def find_blocks(root: Any) -> list[Any]:
    """The elements that hold a code block each, in document order; none lies in another."""
    found: list[Any] = []
    inside: set[Any] = set()
    for element in root.iter("pre", "table", "div", "code"):
        if element in inside or not _is_block(element):
            continue
        if any(above in inside for above in element.iterancestors()):
            continue
        inside.add(element)
        found.append(element)
    return found


def _is_block(element: Any) -> bool:
    classes = element.get("class") or ""
    if element.tag == "pre":
        return not _BESIDE.search(classes) and not any(
            _BESIDE.search(above.get("class") or "") for above in _above(element, 2)
        )
    if element.tag == "code":
        return _lines_of_its_own(element)
    return bool(_CONTAINER.search(classes)) and element.tag in {"table", "div"}


def _lines_of_its_own(element: Any) -> bool:
    """A <code> of three lines or more: one that a browser would show as one line holds no line ends worth the name."""
    breaks = sum(1 for _ in element.iter("br", "div"))
    stated = bool(_STATED.search(element.get("class") or ""))
    return breaks >= 2 or (stated and "\n" in "".join(element.itertext()).strip())


def code_text(block: Any) -> str:
    """The text of a block; see the module. The line end that HTML ignores behind "<pre>" is left out, any other is kept."""
    text = ""
    for beside in (_numbers(block), frozenset[Any]()):
        parts: list[str] = []
        leading = _read(block, parts, beside)
        text = "".join(parts)
        if not beside or (leading and text.rstrip("\n").count("\n") + 1 == len(beside)):
            break
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removeprefix("\n")


def _numbers(block: Any) -> frozenset[Any]:
    """Elements that may hold line numbers, though only what they hold says so: 1, 2, 3 … They do where each begins a line and each line has one."""
    leaves = [
        e for e in block.iter("span", "div", "td", "a") if not len(e) and (e.text or "").strip().isdecimal()
    ]
    values = [int(leaf.text) for leaf in leaves]
    ascending = len(values) > 2 and values == list(range(1, len(values) + 1))
    return frozenset(leaves) if ascending else frozenset()


def _read(block: Any, parts: list[str], beside: frozenset[Any]) -> bool:
    """Append the texts below `block`, without recursion: pages nest as deep as they like. Whether all of `beside` began a line."""
    leading = True
    ended = True  # whether what was last written ended a line

    def write(text: str | None) -> None:
        nonlocal ended
        if text:
            parts.append(text)
            ended = text.endswith("\n")

    def break_line() -> None:
        if not ended:
            write("\n")

    waiting: list[tuple[Any, int]] = [(block, ENTERING)]
    while waiting:
        element, written = waiting.pop()
        own_line = element.tag in BLOCK_LINES and element is not block
        if written != ENTERING:
            if own_line and len(parts) == written and _is_empty_line(element, beside):
                write("\n")
            elif own_line and len(parts) > written:
                break_line()
            if element is not block:
                write(element.tail)
            continue
        if element is not block and (element in beside or _is_beside(element)):
            leading = leading and (ended or element not in beside)
            write(element.tail)
            continue
        if own_line:
            break_line()
        waiting.append((element, len(parts)))
        write("\n" if element.tag == "br" else element.text if isinstance(element.tag, str) else None)
        waiting += [(child, ENTERING) for child in reversed(element)]
    return leading


def _is_empty_line(element: Any, beside: frozenset[Any]) -> bool:
    """Whether an element that says nothing is an empty line: it holds nothing, or the line's number only."""
    return element.tag in _EMPTY_LINES and all(child in beside for child in element)


def _is_beside(element: Any) -> bool:
    if not isinstance(element.tag, str) or element.tag in _SILENT:
        return True
    return bool(_BESIDE.search(element.get("class") or "")) and element.tag not in {
        "table",
        "code",
        "tr",
        "tbody",
    }


def language_of(block: Any) -> str:
    """The language that a block's classes or attributes state, in lower case; "" for none. Nearest first: its own <code>, itself, what holds it.

    >>> from lxml.html import fromstring
    >>> language_of(fromstring('<pre><code class="hljs language-Rust">x</code></pre>'))
    'rust'
    """
    near = [*block.iter("code"), block]
    for element in (*near[:3], *_above(block, 4)):
        for attribute in ("data-lang", "data-language"):
            if (value := (element.get(attribute) or "").strip().lower()) and re.fullmatch(
                r"[\w+#.-]{1,30}", value
            ):
                return "" if value in _NONE else value
        for found in _STATED.finditer(element.get("class") or ""):
            name = (found[1] or found[2]).lower().removesuffix("-html").removesuffix("-basic")
            if name not in _NONE:
                return name
    for element in (*near[:3], *_above(block, 1)):
        for word in (element.get("class") or "").lower().split():
            if word in _BARE:
                return word
    return ""


def _above(element: Any, levels: int) -> Iterator[Any]:
    for level, above in enumerate(element.iterancestors()):
        if level == levels or above.tag in {"body", "main", "article"}:
            return
        yield above


def fenced(code: str, language: str, first: str = "", rest: str = "") -> str:
    """The fence around `code`, longer than any run of backticks in it; `first` and `rest` stand before its first line and the others.

    >>> print(fenced("a ```b``` c", "md"))
    ````md
    a ```b``` c
    ````
    """
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(code)), default=0))
    body = code.removesuffix("\n").split("\n")
    lines = [f"{rest}{line}" if line else rest.rstrip() for line in body]
    return "\n".join([f"{first}{fence}{language}", *lines, f"{rest}{fence}"])
