"""Lines of IRC in every client's manner, and the clock between them."""

import pytest
from hypothesis import given, strategies as st

from plugins.scrapers.chat_shapes.irc_lines import Watch, read_line


@pytest.mark.parametrize(
    ("line", "nick", "text"),
    [
        ("[12:34] <ann> hello", "ann", "hello"),
        ("[12:34:56] <ann> hello", "ann", "hello"),
        ("12:34 < ann> hello", "ann", "hello"),
        ("12:34 <@ann> hello", "ann", "hello"),
        ("12:34 PM <ann> hello", "ann", "hello"),
        ("[2026-01-02 12:34:56] <+ann> hello", "ann", "hello"),
        ("2026-01-02T12:34:56Z <ann> hello", "ann", "hello"),
        ("<|ann|> hello", "|ann|", "hello"),
        ("[12:34] <brad[] > hello", "brad[]", "hello"),
        ("[12:34] <ann> \x0304,01red\x03 and \x02bold\x02", "ann", "red and bold"),
        ("[12:34] <ann> === not a join", "ann", "=== not a join"),
        ("2026-01-02 12:34:56\t@ann\thello", "ann", "hello"),
        ("[12:34]  * ann waves", "ann", "*waves*"),
        ("12:34  * ann has left the building site", "ann", "*has left the building site*"),
        ("=== ann is happy", "ann", "*is happy*"),
        ("2026-01-02 12:34:56\t *\tann waves", "ann", "*waves*"),
    ],
)
def test_talk_is_read_in_every_manner(line: str, nick: str, text: str) -> None:
    found = read_line(line)
    assert (found.kind in {"said", "done"}, found.nick, found.text) == (True, nick, text)


@pytest.mark.parametrize(
    "line",
    [
        "12:34 -!- ann [~a@b.example] has joined #cellar",
        "=== ann [~a@b.example]  has left #cellar []",
        "=== ann is now known as ann_away",
        "=== mode/#cellar [+o ann] by bo",
        "=== ..[topic/#cellar:ann] : Rules | more rules",
        "[12:34] *** Joins: ann (~a@b.example)",
        "[12:34] * ann (~a@b.example) has joined #cellar",
        "[12:34] * ann sets mode: +o bo",
        "--- Day changed Tue Mar 03 2026",
        "2026-01-02 12:34:56\t-->\tann has joined #cellar",
        "[12:34] <ann> ",
        "",
    ],
)
def test_what_the_network_says_is_no_talk(line: str) -> None:
    assert read_line(line).kind == "noise"


@given(st.text())
def test_any_line_is_read_and_never_raises(line: str) -> None:
    assert read_line(line).kind in {"said", "done", "noise", "unread"}


@pytest.mark.parametrize(
    ("clocks", "pauses"),
    [
        (["23:50", "00:10"], [1200]),
        (["12:50", "01:10"], [1200]),  # a clock of twelve hours
        (["20:00", "09:00"], [13 * 3600]),
        (["14:00", "13:59"], [0]),
        (["10:00", "11:30"], [5400]),
    ],
)
def test_a_clock_that_goes_back_has_passed_midnight_or_noon(clocks: list[str], pauses: list[float]) -> None:
    watch = Watch()
    found = [watch.pause(read_line(f"[{clock}] <ann> hm")) for clock in clocks]
    assert found == [None, *pauses]
