import json

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from bench.labels.samples import spelling
from bench.spelling_quality import judge
from corpus.phases.edits import apply, invert
from plugins.cleaners.protected import covers, protected
from plugins.cleaners.spelling import Spelling
from plugins.cleaners.spelling_dictionary import data_file, known
from schemas.errors import MissingExtra

pytest.importorskip("codespell_lib", reason="needs the extra `spelling`")

WORDS = [
    "teh",
    "Teh",
    "TEH",
    "recieve",
    "alot",
    "doesnt",
    "wich",
    "seperate",
    "the",
    "of",
    "and",
    "is",
    "der",
    "und",
    "la",
    "house",
    "Bob",
]
PIECES = [
    *WORDS,
    *".,\n'’\"`-:_1",
    "\n\n",
    "    ",
    "https://teh.org/",
    "grammer",
    "colum",
    "discpline",
    "ﬁ",
    "İ",
    "\ufffd",
]
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
OPTIONS = [
    {},
    {"mode": "symspell", "max_distance": 2},
    {"words": {"house": "teh hut", "the": "recieve"}, "ignore": ["wich"]},
]


def clean(text, **options):
    return apply(text, Spelling(**options).clean(text))


@pytest.mark.parametrize("options", OPTIONS)
def test_cleaning_twice_changes_nothing_more_and_edits_lead_back(options):
    cleaner = Spelling(**options)

    @settings(max_examples=200)
    @given(TEXTS)
    def settles(text):
        edits = cleaner.clean(text)
        cleaned = apply(text, edits)
        assert cleaner.clean(cleaned) == []
        assert apply(cleaned, invert(text, edits)) == text

    settles()


@given(TEXTS)
def test_nothing_protected_is_touched(text):
    spans = protected(text)
    assert not any(covers(spans, edit.start, edit.end) for edit in Spelling().clean(text))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("It is seperate from teh house.", "It is separate from the house."),
        ("Recieved goods are in the house.", "Received goods are in the house."),
        ("THIS IS A SEPERATE HOUSE OF MINE.", "THIS IS A SEPARATE HOUSE OF MINE."),
        ("I think it doesnt rain atleast there.", "I think it doesn't rain at least there."),
        ("It’s so that it doesnt rain on the house.", "It’s so that it doesn’t rain on the house."),
    ],
)
def test_known_misspellings_are_corrected_in_their_case(before, after):
    assert clean(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "We met with Mr Seperate and he was in the house.",  # a name
        "It was Recieved Wisdom in the house.",  # a title
        "Por ejemplo, la recieve del sistema que es de los usuarios.",  # another language
        "the French say la recieve and it is so",  # beside a word of another
        "We wich it, you wich it, they wich it, and all of that is what we do.",  # the text's own word
        "It was Handel who did that in the house.",  # a word
        "We co-ordinate and re-use that, and it was reenabled.",  # accepted variants
        "They had a non-seperate house for you.",  # part of a compound
        "",
    ],
)
def test_what_may_be_meant_stays(text):
    assert clean(text) == text


def test_own_words_come_first_and_ignored_ones_stay(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("# ours\nheroe->hero\nteh->\n", encoding="utf-8")
    options = {"files": (str(file),), "words": {"Grimoir": "grimoire"}, "ignore": ("seperate",)}
    text = "Teh Heroe of teh grimoir is seperate, and he recieved it in `heroe`."
    assert clean(text, **options) == "Teh Hero of teh grimoire is seperate, and he received it in `heroe`."


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"words": {"a b": "c"}}, "no correction of one word"),
        ({"words": {"a": "b", "b": "c"}}, "corrected in turn"),
        ({"words": {"abc": ""}}, "no correction of one word"),
    ],
)
def test_corrections_that_cannot_be_made_are_faults(options, says):
    with pytest.raises(ValueError, match=says):
        Spelling(**options).check()


def test_a_line_of_a_file_that_is_no_correction_is_a_fault(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("teh the\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 1.*write"):
        Spelling(files=(str(file),)).check()


def test_a_distance_of_three_is_refused():
    with pytest.raises(ValidationError):
        Spelling(max_distance=3)


def test_a_dictionary_that_is_not_installed_names_the_extra():
    with pytest.raises(MissingExtra, match=r"gristmill\[spelling\]"):
        data_file("codespell_lib", "data", "no-such-dictionary.txt")


def test_no_correction_holds_another_misspelling():
    listed = known()
    assert len(listed) > 55_000
    assert not [
        right for right in listed.values() if any(piece in listed for piece in [right, *right.split()])
    ]


def test_guesses_leave_american_spelling_inflections_and_compounds_alone():
    text = "the analytics of my favorite manpage is what we were rebasing on, and the semver of it"
    assert clean(text, mode="symspell") == text
    assert clean("it is a discpline of the house", mode="symspell") == "it is a discipline of the house"


def test_code_of_real_documentation_pages_is_untouched(shared_data):
    """Whatever stands fenced, indented or in tags stays, also where a known misspelling is put into it."""
    changed = pages = 0
    for path in sorted((shared_data / "extraction/wcxb-dev/ground-truth").glob("*.json")):
        page = json.loads(path.read_text("utf-8"))
        if page["_internal"]["page_type"]["primary"] != "documentation":
            continue
        text = page["ground_truth"]["main_content"] or ""
        pages += 1
        for sample in (
            f"```\n{text.replace('the', 'teh').replace('```', '')}\n```",
            "\n".join("    " + line.replace("the", "teh") for line in text.split("\n")),
        ):
            changed += len(Spelling().clean(sample))
    assert pages > 80
    assert changed == 0


@pytest.mark.slow
def test_of_the_half_labelled_for_development_corrections_are_right(shared_data):
    labels = list(spelling("dev", partial=True))
    if len(labels) < 200:
        pytest.skip(f"only {len(labels)} labelled texts are here; the others are in the throughput corpus")
    outcome = judge(labels, Spelling())
    assert outcome.damage == []
    assert outcome.share >= 0.97
    assert len(outcome.right) >= 0.5 * (len(outcome.right) + len(outcome.left))


@pytest.mark.parametrize("piece", ["a", "teh ", "the teh ", "' ", "(", "\n", "\ufffd", "\x00"])
def test_hostile_texts_come_to_rest(piece):
    text = piece * (500_000 // len(piece))
    cleaner = Spelling()
    assert cleaner.clean(apply(text, cleaner.clean(text))) == []
