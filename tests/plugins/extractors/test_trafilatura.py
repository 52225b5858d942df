"""Floors for extraction on real pages. They may rise with a better extractor; they are not to be lowered to make a test pass."""

import gzip
import json
import re
from collections import Counter, defaultdict

import pytest

from plugins.extractors.encoding import decode
from plugins.extractors.none import NoExtractor
from plugins.extractors.resiliparse import Resiliparse
from plugins.extractors.trafilatura import Trafilatura

EVERY = 9
"""Each ninth of the 1,337 pages: 149."""

# Mean word F1 on these 149 pages: trafilatura .831, resiliparse .771; on all 1,337: .827 and .790.
TRAFILATURA = {
    "all": 0.825,
    "article": 0.93,
    "documentation": 0.91,
    "service": 0.82,
    "forum": 0.74,
    "product": 0.63,
    "collection": 0.565,
    "listing": 0.575,
}
RESILIPARSE = {"all": 0.765, "article": 0.87}

HTML = """<html><head><title>T</title><style>p {}</style><script>var hidden = 1</script></head><body><nav><a href=/>Menu</a></nav>
<article><h1>The inn</h1><p>The innkeeper looks up from the bar and sees a stranger in the doorway.</p>
<p>The rain has followed him in, and it drips on the boards while he takes off his hat.</p></article></body></html>"""


def words(text):
    return Counter(re.findall(r"\w+", text.lower()))


def word_f1(found, gold):
    found, gold = words(found), words(gold)
    both = sum((found & gold).values())
    return 2 * both / (sum(found.values()) + sum(gold.values())) if both else float(not found and not gold)


def means(extractor, folder):
    by_type = defaultdict(list)
    for path in sorted((folder / "html").glob("*.html.gz"))[::EVERY]:
        gold = json.loads(
            (folder / "ground-truth" / path.name.replace(".html.gz", ".json")).read_text("utf-8")
        )
        html = decode(gzip.decompress(path.read_bytes()), "text/html", html=True).text
        score = word_f1(extractor.extract(html) or "", gold["ground_truth"]["main_content"] or "")
        by_type[gold["_internal"]["page_type"]["primary"]].append(score)
        by_type["all"].append(score)
    return {kind: sum(scores) / len(scores) for kind, scores in by_type.items()}


@pytest.mark.parametrize(
    ("extractor", "floors"),
    [(Trafilatura(), TRAFILATURA), (Resiliparse(), RESILIPARSE)],
    ids=["trafilatura", "resiliparse"],
)
def test_extraction_of_real_pages_stays_above_its_floors(shared_data, extractor, floors):
    found = means(extractor, shared_data / "extraction/wcxb-dev")
    assert {kind: round(found[kind], 3) for kind, floor in floors.items() if found[kind] < floor} == {}


@pytest.mark.parametrize("extractor", [Trafilatura(), Resiliparse(), NoExtractor()])
def test_extractors_give_text_and_no_markup(extractor):
    text = extractor.extract(HTML)
    assert "innkeeper looks up" in text
    assert "<p>" not in text
    assert "hidden" not in text


def test_only_none_keeps_the_navigation():
    assert "Menu" in NoExtractor().extract(HTML)
    assert "Menu" not in Resiliparse().extract(HTML)
    assert "Menu" not in Trafilatura().extract(HTML)


@pytest.mark.parametrize("extractor", [Trafilatura(), Resiliparse(), NoExtractor()])
@pytest.mark.parametrize(
    "html",
    [
        "",
        " ",
        "no markup",
        "<",
        "<html>",
        '<?xml version="1.0" encoding="utf-8"?><html><body/></html>',
        "<!--",
        "\0",
    ],
)
def test_pages_of_nothing_have_no_text_or_their_own(extractor, html):
    text = extractor.extract(html) or ""
    assert words(text) <= words(html)


@pytest.mark.parametrize("extractor", [Trafilatura(), Resiliparse()])
def test_extraction_is_the_same_each_time(extractor):
    assert len({extractor.extract(HTML) for _ in range(3)}) == 1
