"""Untangling: nothing is lost, order stays, sets are those of the links."""

import io
import json

import pytest
from hypothesis import given, strategies as st

from plugins.scrapers.chat_shapes.json_members import members
from plugins.scrapers.chat_shapes.weaving import Joined, by_silence, untangle


@given(st.lists(st.integers(-1, 5)))
def test_every_labelled_record_comes_once_in_order(labels: list[int]) -> None:
    found = dict(untangle(range(len(labels)), labels))
    assert found == {
        label: [n for n, one in enumerate(labels) if one == label] for label in set(labels) if label >= 0
    }


@given(st.lists(st.one_of(st.none(), st.floats(0, 100))), st.floats(0, 100))
def test_silence_cuts_and_nothing_else(pauses: list[float | None], gap: float) -> None:
    runs = list(by_silence(pauses, lambda pause: pause, gap))
    assert [pause for run in runs for pause in run] == pauses
    assert len(runs) == (1 + sum(p is not None and p > gap for p in pauses[1:]) if pauses else 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_joined_numbers_share_their_smallest(links: list[tuple[int, int]]) -> None:
    joined = Joined(10)
    sets = [{n} for n in range(10)]
    for one, other in links:
        joined.join(one, other)
        whole = sets[one] | sets[other]
        for n in whole:
            sets[n] = whole
    assert joined.names() == [min(one) for one in sets]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.lists(JSON), st.sampled_from([None, 1, " "]))
def test_a_streamed_object_is_what_json_reads(
    told: dict[str, object], listed: list[object], indent: object
) -> None:
    whole = {**told, "messages": listed}
    text = io.StringIO(json.dumps(whole, indent=indent))
    found = list(members(text, "messages"))
    assert [value for key, value in found if key == "messages"] == listed
    assert {key: value for key, value in found if key != "messages"} == {
        key: value for key, value in told.items() if key != "messages"
    }


@pytest.mark.parametrize("cut", range(1, 30))
def test_an_object_cut_anywhere_is_refused_and_does_not_hang(cut: int) -> None:
    whole = '{"a": 1, "messages": [{"b": 2}, 3]}'
    with pytest.raises(ValueError, match=r"character|ends"):
        list(members(io.StringIO(whole[:cut]), "messages"))
