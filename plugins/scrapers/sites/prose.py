r"""The body of a post as Markdown lines: what its author wrote, in paragraphs, lists, quotes and code.

One walk without recursion, since a page may be nested as deep as it likes. Emphasis and addresses of links are left out: they are
markup, not words. What is kept is structure that a reader needs to understand who says what:

    <blockquote><p>Is it?</p></blockquote>          > Is it?
    <ul><li>one<li>two</ul>                         - one
                                                    - two
    <pre>a\n\nb</pre>                               ```
                                                    a

                                                    b
                                                    ```
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from lxml import etree  # type: ignore[import-untyped, unused-ignore]

SKIPPED = frozenset({
    "audio", "button", "canvas", "datalist", "embed", "form-error", "frame", "head", "iframe", "input", "link", "map", "meta",
    "object", "option", "progress", "script", "select", "style", "svg", "template", "textarea", "title", "video",
})  # fmt: skip
"""Elements that hold no words of the author's."""
BLOCKS = frozenset({
    "address", "article", "aside", "body", "center", "dd", "details", "dialog", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "header", "html", "legend", "main", "nav", "noscript", "p", "section", "summary", "tbody",
    "thead", "tfoot",
})  # fmt: skip
"""Elements that stand on lines of their own (WHATWG HTML, section 15.3.3, "Flow content")."""
NO_LANGUAGES = frozenset({"auto", "none", "nohighlight", "no-highlight"})
"""What highlighters call code of no known language."""
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
TABLES = frozenset({"table", "tr", "td", "th"})
LISTS = frozenset({"ul", "ol", "menu", "dir"})
MAX_DEPTH = 40
"""Quotes and lists nested deeper than this are written without further marks: each level repeats its marks on every line."""

_SPACE = re.compile(r"[ \t\r\n\f\v\xa0]+")
_PARAGRAPHS = re.compile(r"\n(?:[ \t]*\n)+")
_LANGUAGE = re.compile(r"(?:^|\s)(?:lang(?:uage)?-|brush:\s*)([\w+#-]{1,20})")


@dataclass(slots=True)
class _Frame:
    """An open container: the blocks it has so far and the line being written."""

    kind: str
    blocks: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    mark: str = ""
    count: int = 0
    tight: bool = False


def markdown(
    roots: Iterable[Any],
    *,
    drop: Collection[Any] = (),
    quoted: Collection[Any] = (),
    keep_quotes: bool = True,
) -> str:
    r"""The words of these elements, in order; `drop` and `quoted` are elements below them to leave out, and to take for quotes.

    `blockquote` elements are quotes always, but for the roots themselves.

    >>> from lxml import html
    >>> markdown([html.fromstring("<div>One<br>two<blockquote>three</blockquote><p>four")])
    'One\ntwo\n\n> three\n\nfour'
    """
    writer = _Writer(drop, quoted, keep_quotes=keep_quotes)
    return "\n\n".join(text for root in roots if (text := writer.write(root)))


class _Writer:
    def __init__(self, drop: Collection[Any], quoted: Collection[Any], *, keep_quotes: bool) -> None:
        self.drop, self.quoted, self.keep_quotes = drop, quoted, keep_quotes
        self.frames: list[_Frame] = []
        self.code: Any = None
        """The element whose lines are code, while it is open."""
        self.absorbed: set[Any] = set()
        self.root: Any = None

    def write(self, root: Any) -> str:
        self.root, self.frames, self.code = root, [_Frame("root")], None
        walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, element in walker:
            if event == "start":
                if self._left_out(element):
                    walker.skip_subtree()
                else:
                    self._open(element)
                    self._text(element.text)
                continue
            if event == "end" and not self._left_out(element):
                self._close(element)
            if element is not root:
                self._text(element.tail)
        while len(self.frames) > 1:
            self._pop()
        return self._finish(self.frames[0])

    def _left_out(self, element: Any) -> bool:
        if element is self.root:
            return False
        if element.tag in SKIPPED or element in self.drop:
            return True
        return not self.keep_quotes and self._is_quote(element)

    def _is_quote(self, element: Any) -> bool:
        return element is not self.root and (element.tag == "blockquote" or element in self.quoted)

    # ---------------------------------------------------------------------------------------- elements

    def _open(self, element: Any) -> None:
        tag = element.tag
        if self.code is not None:
            if tag in ("br", "li", "div", "p") and self.frames[-1].line:
                self.frames[-1].line.append("\n")
        elif self._is_quote(element):
            self._open_quote(element)
        elif tag == "pre" or (tag == "code" and element.find(".//br") is not None):
            self._push("code").mark = _language(element)
            self.code = element
        elif tag in LISTS:
            self._push("list", tight=True).mark = tag
        elif tag == "li":
            bullet = self._bullet()
            self._push("item").mark = bullet
        elif tag in TABLES:
            self._push(tag, tight=tag != "td")
        elif tag == "br":
            self.frames[-1].line.append("\n")
        elif tag == "code":
            self.frames[-1].line.append("`")
        elif tag in BLOCKS or tag in HEADINGS or tag == "hr" or self._is_citation(tag):
            self._flush()
            self.frames[-1].line.append(HEADINGS.get(tag, ""))

    def _open_quote(self, element: Any) -> None:
        """A new level of quoting, unless this is the `blockquote` inside what an engine wraps round a quote."""
        around = next((frame for frame in reversed(self.frames) if frame.kind == "quote"), None)
        if element.tag == "blockquote" and around is not None and around.count:
            around.count = 0
            self.absorbed.add(element)
            self._flush()
        else:
            self._push("quote").count = int(element.tag != "blockquote")

    def _close(self, element: Any) -> None:
        tag = element.tag
        line = self.frames[-1].line
        if self.code is not None:
            if element is self.code:
                self.code = None
                self._pop()
        elif element in self.absorbed:
            self._flush()
        elif self._is_quote(element) or tag in LISTS or tag == "li" or tag in TABLES:
            self._pop()
        elif tag == "code":
            # Of an empty one nothing stays.
            line[-1:] = [] if line and line[-1] == "`" else [*line[-1:], "`"]
        elif tag in BLOCKS or tag in HEADINGS or self._is_citation(tag):
            self._flush()

    def _is_citation(self, tag: str) -> bool:
        """Who is quoted, above the quote: a line of its own."""
        return tag == "cite" and self.frames[-1].kind == "quote"

    def _bullet(self) -> str:
        parent = self.frames[-1]
        parent.count += 1
        return f"{parent.count}. " if parent.mark == "ol" else "- "

    def _text(self, text: str | None) -> None:
        if not text:
            return
        if self.code is None:
            text = _SPACE.sub(" ", text)
        elif self.code.tag == "code":  # its lines end at <br>
            text = text.replace("\r", "").replace("\n", "")
        self.frames[-1].line.append(text)

    # ---------------------------------------------------------------------------------------- frames

    def _push(self, kind: str, *, tight: bool = False) -> _Frame:
        self._flush()
        self.frames.append(_Frame(kind, tight=tight))
        return self.frames[-1]

    def _pop(self) -> None:
        if len(self.frames) == 1:  # an end without a beginning
            return
        frame = self.frames.pop()
        text = self._finish(frame)
        shape = _SHAPES.get(frame.kind)
        if text and shape and len(self.frames) < MAX_DEPTH:
            text = shape(text, frame)
        if text:
            self.frames[-1].blocks.append(text)

    def _flush(self) -> None:
        frame = self.frames[-1]
        text = "".join(frame.line)
        frame.line.clear()
        if text and not text.isspace():
            frame.blocks += _paragraphs(text)

    def _finish(self, frame: _Frame) -> str:
        if frame.kind == "code":
            return _code("".join(frame.line), frame.mark)
        self.frames.append(frame)
        self._flush()
        self.frames.pop()
        if frame.kind == "tr" and not any("\n" in block for block in frame.blocks):
            return " | ".join(frame.blocks)
        return ("\n" if frame.tight else "\n\n").join(frame.blocks)


def _paragraphs(text: str) -> list[str]:
    r"""A run of words between blocks: line breaks kept, two in a row part paragraphs.

    >>> _paragraphs(" one \n two\n \n\nthree")
    ['one\ntwo', 'three']
    """
    found = []
    for paragraph in _PARAGRAPHS.split(text):
        lines = [line.strip() for line in paragraph.split("\n")]
        if joined := "\n".join(_SPACE.sub(" ", line) for line in lines if line.strip("# ")):
            found.append(joined)
    return found


def _quote(text: str, _frame: _Frame) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def _item(text: str, frame: _Frame) -> str:
    indent = "\n" + " " * len(frame.mark)
    return frame.mark + text.replace("\n", indent).replace(indent + "\n", "\n\n")


_SHAPES: dict[str, Callable[[str, _Frame], str]] = {"quote": _quote, "item": _item}


def _code(text: str, language: str) -> str:
    """A fenced block, its fence longer than any run of backticks inside (CommonMark 0.31, section 4.5)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ").strip("\n").rstrip()
    if not text.strip():
        return ""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _language(element: Any) -> str:
    inner = next(iter(element), None)
    for candidate in (element, inner):
        found = _LANGUAGE.search(candidate.get("class") or "") if candidate is not None else None
        if found and found[1] not in NO_LANGUAGES:
            return found[1]
    return ""
