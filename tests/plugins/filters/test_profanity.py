import polars as pl
import pytest

from plugins.filters.profanity import Profanity


def score(*texts, **options):
    return Profanity(**options).score(pl.Series(texts, dtype=pl.String))


def test_swear_words_are_counted_and_shared_among_all_words():
    found = score("What the fuck, you son of a bitch.", "A fine day in Scunthorpe.", "", None)
    assert found["profanity"].to_list() == [3, 0, 0, 0]  # a phrase, and the word in it
    assert found["profanity_share"].to_list() == [3 / 8, 0, 0, 0]
    assert found["profanity_word"].to_list() == ["fuck", None, None, None]


def test_case_does_not_matter_and_parts_of_words_do_not_count():
    assert score("SHIT", "shitake mushrooms", "Class assessment; a cockerel crowed.")["profanity"].to_list() == [1, 0, 0]  # fmt: skip


def test_words_are_added_and_the_list_may_be_left_out():
    assert score("zounds, shit", words=("zounds",))["profanity"].to_list() == [2]
    assert score("zounds, shit", words=("zounds",), builtin=False)["profanity"].to_list() == [1]
    with pytest.raises(ValueError, match="names no words"):
        Profanity(builtin=False).check()


def test_nothing_is_dropped_unless_a_share_is_given():
    assert Profanity().rules() == []
    [rule] = Profanity(max_share=0.2).rules()
    assert score("shit happens", "all is well here").select(rule.fails).to_series().to_list() == [True, False]


def test_the_list_is_part_of_its_identity():
    assert "list" in Profanity().identity()
    assert Profanity(max_share=0.1).identity() != Profanity().identity()
