import pytest

from plugins.code.completeness import UNPARSED, completeness
from plugins.code.detection import detect
from plugins.code.languages import BY_NAME, LANGUAGES
from plugins.code.parsing import MAX_BYTES, Unparsed, parse

MEBIBYTE = 1 << 20


@pytest.mark.parametrize("language", [language.name for language in LANGUAGES])
@pytest.mark.parametrize("piece", ["(", "[{(", "%w(", "$(", "if x {"])
def test_a_megabyte_of_nested_brackets_is_given_up(language, piece):
    assert completeness(piece * (MEBIBYTE // len(piece)), BY_NAME[language]) == UNPARSED


@pytest.mark.parametrize("language", [language.name for language in LANGUAGES])
@pytest.mark.parametrize("piece", ['"', "`", "<<A\n", "a<b>c<", "\0", "\n", "\ufffd", "a ? b : "])
def test_other_hostile_code_ends_with_some_answer(language, piece):
    found = completeness(piece * (60_000 // len(piece)), BY_NAME[language])
    assert 0 <= found.error_share <= 1


def test_code_that_is_too_long_is_not_parsed():
    with pytest.raises(Unparsed, match="at most"):
        parse(b"x = 1\n" * (MAX_BYTES // 6 + 1), BY_NAME["python"])


def test_a_parse_that_was_given_up_leaves_nothing_behind_for_the_next():
    completeness("a<b>c<" * 20_000, BY_NAME["cpp"])
    assert completeness("int a = 1;\n", BY_NAME["cpp"]).error_share == 0


@pytest.mark.parametrize("piece", ["\n", "a ", "const x ", "public ", "(", " ", ": "])
def test_looking_for_a_language_ends(piece):
    detect(piece * (200_000 // len(piece)))
