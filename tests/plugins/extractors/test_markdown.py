import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from lxml.html import fromstring
from markdown_it import MarkdownIt

from plugins.extractors.encoding import decode
from plugins.extractors.markdown import Markdown
from plugins.extractors.markdown_code import code_text, fenced, find_blocks, language_of

WCXB = Path(__file__).resolve().parents[4] / "shared/data/extraction/wcxb-dev"

PROSE = "<p>The miller opens the gate at dawn and the wheel begins to turn below the house, as it has every day.</p>"
PAGE = "<html><body><nav><a href=/>Home</a> <a href=/b>Menu of the mill</a></nav><main><h1>The mill</h1>{}</main></body></html>"


def page(inner):
    return PAGE.format(PROSE + inner + PROSE.replace("dawn", "noon").replace("miller", "owner"))


def code_of(markdown):
    return [
        (token.info, token.content)
        for token in MarkdownIt("commonmark").parse(markdown)
        if token.type == "fence"
    ]


def extracted(inner, **options):
    return Markdown(**options).extract(page(inner))


CODE = "def half(x):\n\n\tif x:\n        return   x / 2\n\n\n    return None  # <b> & more\n"
ESCAPED = CODE.replace("&", "&amp;").replace("<", "&lt;")


@pytest.mark.parametrize(
    ("html", "language"),
    [
        ("<pre>{}</pre>", ""),
        ('<pre><code class="language-python">{}</code></pre>', "python"),
        ('<pre class="prettyprint lang-py"><code>{}</code></pre>', "py"),
        ('<div class="highlight highlight-source-python"><pre>{}</pre></div>', "python"),
        (
            '<div class="highlight-python3 notranslate"><div class="highlight"><pre><span></span>{}</pre></div></div>',
            "python3",
        ),
        ('<div class="highlight-default notranslate"><div class="highlight"><pre>{}</pre></div></div>', ""),
        ('<pre class="brush: python notranslate"><code>{}</code></pre>', "python"),
        ('<pre><code data-lang="Python">{}</code></pre>', "python"),
        ('<pre class="sourceCode python"><code class="sourceCode python">{}</code></pre>', "python"),
        ('<figure class="highlight"><pre class="hljs python">{}</pre></figure>', "python"),
        ('<div><button class="copy">Copy</button><pre><button>Copy</button>{}</pre></div>', ""),
        (
            '<table class="highlighttable"><tr><td class="linenos"><pre>1\n2\n3</pre></td><td class="code"><pre>{}</pre></td></tr></table>',
            "",
        ),
        ("<ul><li>A step of the work that is done:<pre>{}</pre></li></ul>", ""),
        ("<ol><li><p>A step of the work:</p><ul><li>Within it:<pre>{}</pre></li></ul></li></ol>", ""),
        ("<blockquote><p>As it was written then:</p><pre>{}</pre></blockquote>", ""),
        ("<table><tr><td><p>As it was written then:</p><pre>{}</pre></td></tr></table>", ""),
    ],
)
def test_code_survives_byte_for_byte_with_its_language(html, language):
    assert code_of(extracted(html.format(ESCAPED))) == [(language, CODE)]


@pytest.mark.parametrize(
    "html",
    [
        "<pre><div>a = 1</div><div><br></div><div>  b = 2</div></pre>",
        "<pre><code><span class=token-line>a = 1<br></span><span><br></span><span>  b = 2<br></span></code></pre>",
        "<pre><ol><li>a = 1</li><li></li><li>  b = 2</li></ol></pre>",
        '<div class="CodeMirror-code"><pre class="CodeMirror-line">a = 1</pre><pre></pre><pre>  b = 2</pre></div>',
        "<pre><div><span>1</span>a = 1</div><div><span>2</span></div><div><span>3</span>  b = 2</div></pre>",
    ],
)
def test_lines_that_are_elements_become_lines(html):
    assert code_text(find_blocks(fromstring(f"<body>{html}</body>"))[0]).rstrip("\n") == "a = 1\n\n  b = 2"


def test_numbers_of_the_code_itself_are_no_line_numbers():
    html = "<pre>x = [<span>1</span>, <span>2</span>, <span>3</span>]\ny = 1\nz = 2</pre>"
    assert code_text(fromstring(html)) == "x = [1, 2, 3]\ny = 1\nz = 2"


def test_a_fence_is_longer_than_the_backticks_in_its_code():
    text = extracted("<pre>```py\nx\n```` inline\n</pre>")
    assert code_of(text) == [("", "```py\nx\n```` inline\n")]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=80))
@settings(max_examples=200)
def test_any_code_comes_back_out_of_its_fence(code):
    for first, rest in (("", ""), ("- ", "  "), ("> ", "> ")):
        found = code_of(fenced(code, "x", first, rest))
        assert found == [("x", code.removesuffix("\n") + "\n")] or not code.strip("\n")


def test_lists_tables_emphasis_and_headings_are_markdown_and_navigation_is_left_out():
    text = extracted(
        "<h2>Its <em>parts</em> <a class=headerlink href=#p>¶</a></h2>"
        "<ul><li>the big wheel of the mill<ul><li>the paddles of the wheel</li></ul></li><li>the <b>two</b> stones of the mill</li></ul>"
        "<table><tr><th>part of it</th><th>age of it</th></tr><tr><td>wheel of oak</td><td>forty years</td></tr></table>"
    )
    assert "## Its *parts*\n" in text
    assert (
        "- the big wheel of the mill\n  - the paddles of the wheel\n- the **two** stones of the mill" in text
    )
    assert "| part of it | age of it |\n| --- | --- |\n| wheel of oak | forty years |" in text
    assert "Menu" not in text


def test_links_and_images_are_kept_where_asked():
    inner = '<p>Read the long <a href="/story">story of the mill</a> by the light.<img src="/m.png" alt="mill"></p>'
    assert "long story of the mill by the light." in extracted(inner)
    kept = extracted(inner, links="keep", images=True)
    assert "[story of the mill](/story)" in kept
    assert "![mill](/m.png)" in kept


def test_the_whole_page_is_written_where_main_content_is_not_asked_for():
    assert "Menu of the mill" in extracted("", main_content=False)


def test_a_class_may_be_written_in_any_of_the_ways_in_use():
    assert language_of(fromstring('<pre class="language-c++"><code>x</code></pre>')) == "c++"
    assert language_of(fromstring('<pre class="text">x</pre>')) == ""


@pytest.mark.parametrize(
    "html",
    [
        "",
        "   ",
        "<html></html>",
        "\0",
        "<pre>",
        "<p>" * 5000,
        "<div>" * 20_000 + "x",
        "<table>" * 2000,
        "<pre>" * 3000 + "x",
    ],
)
def test_hostile_pages_end(html):
    for main_content in (True, False):
        found = Markdown(main_content=main_content).extract(html)
        assert found is None or isinstance(found, str)


@pytest.mark.skipif(not WCXB.exists(), reason="shared data is absent")
def test_of_documentation_pages_words_and_code_stay():
    """Every fourth of the 89: word F1 .897; all code whose lines are text comes back."""
    total = exact = missing = 0
    scores = []
    truths = [
        json.loads(path.read_text(encoding="utf-8")) | {"page": path.stem}
        for path in sorted(WCXB.glob("ground-truth/*.json"))
    ]
    pages = [truth for truth in truths if truth["_internal"]["page_type"]["primary"] == "documentation"][::4]
    for truth in pages:
        html = decode(
            gzip.decompress((WCXB / "html" / f"{truth['page']}.html.gz").read_bytes()), "text/html", html=True
        ).text
        text = Markdown().extract(html) or ""
        gold = truth["ground_truth"]["main_content"]
        scores.append(word_f1(re.findall(r"\w+", gold.lower()), re.findall(r"\w+", text.lower())))
        written = {content.removesuffix("\n") for _, content in code_of(text)}
        for block in fromstring(html.encode()).iter("pre"):
            code = "".join(block.itertext()).removeprefix("\n").removesuffix("\n").replace("\r\n", "\n")
            lines = [line.strip() for line in code.split("\n") if line.strip()]
            if (
                len(lines) < 2
                or block.findall(".//br")
                or block.findall(".//div")
                or block.findall(".//button")
            ):
                continue
            if sum(line in gold for line in lines) < len(lines):
                continue
            total += 1
            exact += code in written
            missing += code not in written
    assert total > 50
    assert missing <= 0.01 * total
    assert sum(scores) / len(scores) >= 0.89


def word_f1(gold, found):
    common = sum((Counter(gold) & Counter(found)).values())
    return 2 * common / (len(gold) + len(found)) if common else 0.0


def test_the_ledger_says_which_code_is_not_as_the_page_has_it():
    prose = "<p>" + "Words about the command that follows and why one would want to run it. " * 8 + "</p>"
    numbered = "<table class='highlighttable'><tr><td class='linenos'><pre>1\n2</pre></td><td><pre>a = 1\nb = 2</pre></td></tr></table>"
    page = f"<html><body><main>{prose}{{}}{prose}</main></body></html>"
    as_it_stands = Markdown().extract_page(page.format("<pre>a = 1\n\n  b = 2\n</pre>"))
    assert "```\na = 1\n\n  b = 2\n```" in as_it_stands.text
    assert as_it_stands.note is None
    without_numbers = Markdown().extract_page(page.format(numbered))
    assert "```\na = 1\nb = 2\n```" in without_numbers.text
    assert without_numbers.note.startswith("1 of 1 code blocks less what stands beside it")
    broken = Markdown().extract_page(page.format("<pre>a = 1<br>b = 2</pre>"))
    assert broken.note == "1 of 1 code blocks with line ends where the page has elements"
