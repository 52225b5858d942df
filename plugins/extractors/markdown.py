r"""Main content as Markdown, its code untouched.

Trafilatura says which text of the page is main content (`markdown_main.py`), the rest is taken out of the page's own tree, code blocks are put
aside (`markdown_code.py`), html-to-markdown (MIT, Rust) writes what is left as Markdown, and the code comes back between fences, byte for byte.
Characters that Markdown would read as markup are not escaped: a model should read "snake_case", not "snake\\_case".

Where the tree gives less than half of the words that trafilatura takes, its text is the answer: some pages keep their text in data
for scripts, which no element shows. Such a page has no code fences.

Rejected: trafilatura's own Markdown, which loses blank lines and indentation in code (its issue 553); html-to-markdown alone, which takes
navigation too; markdownify, at a twentieth of the speed.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from plugins.contracts import Extracted, Extractor
from plugins.extractors.markdown_code import code_text, fenced, find_blocks, language_of
from plugins.extractors.markdown_main import SILENT, Run, choose, main_element, runs, words_of
from plugins.extractors.markdown_notes import changes_of

_ANCHOR = re.compile(
    r"(?:^|[\s_-])(?:header-?link|heading-?anchor|anchor(?:js)?-?link|hash-?link|permalink|headinglink)(?:$|[\s_-])",
    re.IGNORECASE,
)
_PILCROWS = frozenset({"¶", "#", "§", "🔗", "\uf0c1", ""})
_BLANKS = re.compile(r"\n{3,}")
_HOLDERS = ("table", "thead", "tbody", "tfoot", "tr", "td", "th")


class Markdown(Extractor):
    """Main content as Markdown: headings, lists, tables, emphasis, and code with its indentation, blank lines and language."""

    name = "markdown"
    requires: ClassVar[tuple[str, ...]] = (
        "html-to-markdown",
        "trafilatura",
        "lxml",
        "justext",
        "courlan",
        "htmldate",
        "lxml-html-clean",
    )
    kernels: ClassVar[tuple[str, ...]] = (
        "plugins.extractors.markdown_code",
        "plugins.extractors.markdown_main",
        "plugins.extractors.markdown_notes",
    )

    favor: Literal["balanced", "precision", "recall"] = "balanced"
    """precision: less text, less of it noise. recall: when in doubt, in."""
    comments: bool = True
    """Take readers' comments too; in a forum they are the page."""
    links: Literal["text", "keep"] = "text"
    """keep: write links as [text](address). text: their texts alone."""
    images: bool = False
    """Write images as ![text](address)."""
    main_content: bool = True
    """Leave out navigation, headers, footers, sidebars."""

    def extract(self, html: str) -> str | None:
        """The main content; None where there is none."""
        return self.extract_page(html).text

    def extract_page(self, html: str) -> Extracted:
        """The main content, and a note on code blocks that are not in it as the page has them."""
        body = _tree(html)
        if body is None:
            return Extracted(None)
        blocks = find_blocks(body)
        made = runs(body, set(blocks), code_text)
        judgement = self._judge(html) if self.main_content else None
        if judgement:
            choose(made, judgement)
        elif self.main_content:
            return Extracted(None)
        else:
            for run in made:
                run.main = True
        mark = _mark(html)
        code_runs = [run for run in made if run.code is not None]
        as_shown = [
            "".join(run.code.itertext()) for run in code_runs if run.main and code_text(run.code).strip()
        ]
        kept = _put_aside(code_runs, mark)
        _take_out(made, body, images=self.images)
        text = _bring_back(self._written(body), kept, mark).strip("\n")
        if judgement and 2 * len(words_of(text)) < len(words_of(judgement)):
            return Extracted(
                judgement, note="plain text: the page's tree holds too little of its main content"
            )
        return Extracted(text or None, note=changes_of(as_shown, [text for text, _ in kept]))

    def _judge(self, html: str) -> str | None:
        """Trafilatura's text of the page."""
        from trafilatura import extract

        return extract(
            html,
            output_format="txt",
            favor_precision=self.favor == "precision",
            favor_recall=self.favor == "recall",
            include_comments=self.comments,
            include_tables=True,
            with_metadata=False,
        )

    def _written(self, body: Any) -> str:
        from html_to_markdown import ConversionOptions, PreprocessingOptions, convert
        from lxml.etree import strip_tags  # type: ignore[import-untyped, unused-ignore]
        from lxml.html import tostring  # type: ignore[import-untyped, unused-ignore]

        if self.links == "text":
            strip_tags(body, "a")
        options = ConversionOptions(
            bullets="-",
            compact_tables=True,
            skip_images=not self.images,
            extract_metadata=False,
            autolinks=False,
            hidden_content="all",
            include_blockquote_citations=False,
            expand_abbreviations=False,
            preprocessing=PreprocessingOptions(enabled=False),
        )
        written = convert(tostring(body, encoding="unicode"), options).content or ""
        return _BLANKS.sub("\n\n", written)


def _tree(html: str) -> Any:
    """The page's body; None where nothing can be read."""
    from lxml.etree import ParserError  # type: ignore[import-untyped, unused-ignore]
    from lxml.html import HTMLParser, document_fromstring  # type: ignore[import-untyped, unused-ignore]

    data = html.replace("\0", "\ufffd").encode("utf-8", "replace")
    try:
        page = document_fromstring(
            data, parser=HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
        )
    except (ParserError, ValueError):  # an empty page
        return None
    body = page.find("body")
    if body is None:
        return None
    for element in body.iter("noscript"):  # Discourse keeps its posts there
        element.tag = "div"
    for link in list(body.iter("a")):
        said = "".join(link.itertext()).strip()
        if (
            said in _PILCROWS
            and (_ANCHOR.search(link.get("class") or "") or said)
            and not len(link.findall(".//img"))
        ):
            link.drop_tree()
    return body


def _mark(html: str) -> str:
    """A word that the page does not hold."""
    number = 0
    while (mark := f"codeblock{number}x") in html:
        number += 1
    return mark


def _put_aside(code_runs: list[Run], mark: str) -> list[tuple[str, str]]:
    """Put a marked <pre> in place of every code block that stays; what they said and in which language, by the number in the mark."""
    kept: list[tuple[str, str]] = []
    for run in code_runs:
        text = code_text(run.code) if run.main else ""
        language = language_of(run.code) if text.strip() else ""
        tail = run.code.tail
        run.code.clear()
        run.code.tail = tail
        if text.strip():
            run.code.tag = "pre"
            run.code.text = f"{mark}{len(kept)}x"
            kept.append((text, language))
            _open_tables(run.code)
        else:
            run.main = False
    return kept


def _open_tables(block: Any) -> None:
    """A table around code is layout: its cells become blocks."""
    for above in block.iterancestors():
        if above.tag in _HOLDERS:
            above.tag = "div"
            above.attrib.pop("class", None)


def _take_out(made: list[Run], body: Any, *, images: bool) -> None:
    """Empty the texts of runs that are not main content, then drop what is empty."""
    for run in made:
        if not run.main:
            for element, place in run.places:
                setattr(element, place, None if place == "text" else " ")
    main = main_element(made) if images else None
    pictures = set(main.iter("img")) if main is not None else set()
    for element in list(body.iterdescendants()):
        if element.tag in SILENT:
            _drop(element)
    for element in reversed(list(body.iterdescendants())):
        if (
            len(element)
            or (element.text and element.text.strip())
            or element.tag == "br"
            or element in pictures
        ):
            continue
        if element.tag in {"td", "th"} and "".join(element.getparent().itertext()).strip():
            continue
        _drop(element)


def _drop(element: Any) -> None:
    if element.getparent() is not None:
        element.drop_tree()


def _bring_back(written: str, kept: list[tuple[str, str]], mark: str) -> str:
    """The Markdown with its code in place of the marks, at the mark's own depth in lists and quotes."""
    if not kept:
        return written
    place = re.compile(
        rf"^(?P<first>[^\n`]*)```[^\n]*\n(?P<rest>[^\n]*?){mark}(?P<number>\d+)x\n[^\n]*```[ ]*$",
        re.MULTILINE,
    )

    def code(found: re.Match[str]) -> str:
        text, language = kept[int(found["number"])]
        return fenced(text, language, found["first"], found["rest"])

    return place.sub(code, written)
