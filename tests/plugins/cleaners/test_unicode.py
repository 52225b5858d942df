import unicodedata

import pytest
from hypothesis import given, strategies as st

from plugins.cleaners.unicode import Unicode

MOJIBAKE = st.lists(
    st.sampled_from([
        "â€™",
        "Ã©",
        "Ã",
        "Â",
        "\x80",
        "\x99",
        "\u00ad",
        "\r",
        "\n",
        "a",
        "é",
        "e\u0301",
        "ï»¿",
        "ðŸ˜Š",
    ])
).map("".join)
DAMAGED = st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace").decode("latin-1"))


@given(st.one_of(st.text(), MOJIBAKE, DAMAGED))
def test_cleaning_twice_changes_nothing_more(text):
    once = Unicode().clean(text)
    assert Unicode().clean(once) == once


@given(st.one_of(st.text(), MOJIBAKE))
def test_what_comes_out_is_composed_and_has_no_control_characters(text):
    clean = Unicode().clean(text)
    assert unicodedata.is_normalized("NFC", clean)
    assert {char for char in clean if unicodedata.category(char) == "Cc"} <= {"\n", "\t"}
    assert not set(clean) & set("\ufeff\u200b\u00ad")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Itâ€™s the innkeeperâ€™s cafÃ©.", "It’s the innkeeper’s café."),
        ("ÃƒÂ©tÃƒÂ©", "été"),
        ("line\r\nline\rline", "line\nline\nline"),
        ("and so on\x85 he\x92d say", "and so on… he’d say"),
        ("\ufeffzero\u200bwidth, soft\u00adhyphen, bell\x07, nul\0", "zerowidth, softhyphen, bell, nul"),
        ("one bad line: cafÃ©\none good: SMÖRGÅS © ÂGE", "one bad line: café\none good: SMÖRGÅS © ÂGE"),
    ],
)
def test_damage_is_mended(before, after):
    assert Unicode().clean(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "plain ASCII,\twith a tab\nand a line",
        "“curly” quotes, ﬁ ligatures, ｆｕｌｌ width: the author’s",
        "می‌خواهم",  # zero-width non-joiner
        "👩‍👩‍👧 and ❤️",  # joiner, variation selector
        "left \u200fright\u200e",
        "naïve façade, Größe, Ελλάδα, Россия, 日本語",
        "lost: \ufffd",
    ],
)
def test_what_is_right_or_the_authors_own_stays(text):
    assert Unicode().clean(text) == text


def test_known_mojibake_is_mended(shared_data):
    import json

    folder = shared_data / "hostile/ftfy/tests"
    cases = [case for path in sorted(folder.rglob("*.json")) for case in json.loads(path.read_text("utf-8"))]
    wanted = [case for case in cases if case.get("expect") == "pass" and "fixed-encoding" in case]
    right = sum(
        Unicode().clean(case["original"]) == Unicode().clean(case["fixed-encoding"]) for case in wanted
    )
    assert wanted
    assert right == len(wanted)
