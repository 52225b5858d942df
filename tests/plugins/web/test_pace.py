from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from plugins.web.pace import MAX_RETRY_AFTER, Pace, retry_after_seconds

HOST = "a.example"


def answered(pace, now, status=200, retry_after=None, seconds=0.0, host=HOST):
    pace.started(host, now - seconds)
    pace.finished(host, now, status, retry_after, seconds)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.floats(0, 3),
        st.booleans(),
        st.sampled_from([200, 200, 404, 429, 500, 503, None]),
        st.sampled_from([None, None, 0.0, 5.0]),
    ),
    max_size=60,
)


@given(EVENTS, st.floats(0, 2), st.integers(1, 4), st.floats(0, 3))
def test_no_host_ever_has_more_in_flight_than_it_may_and_starts_are_apart(
    events, delay, concurrency, crawl_delay
):
    pace = Pace(delay, concurrency, 8)
    pace.set_crawl_delay("a", crawl_delay)
    now, starts, flying, blocked = 0.0, {"a": [], "b": []}, {"a": [], "b": []}, {"a": 0.0, "b": 0.0}
    for host, passed, finish, status, retry_after in events:
        now += passed
        if finish and flying[host]:
            pace.finished(host, now, status, retry_after, now - flying[host].pop(0))
            blocked[host] = max(blocked[host], now + (retry_after or 0))
        elif not finish and pace.may(host, now) == 0:
            least = max(delay, crawl_delay if host == "a" else 0)
            assert not starts[host] or now - starts[host][-1] >= least - 1e-9
            assert now >= blocked[host] - 1e-9
            pace.started(host, now)
            starts[host].append(now)
            flying[host].append(now)
        assert len(flying[host]) == pace.in_flight(host) <= concurrency
        assert delay <= pace.delay_of(host) <= max(8, delay)


@given(EVENTS, st.floats(0, 2), st.integers(1, 4))
def test_who_waits_as_told_gets_his_turn(events, delay, concurrency):
    pace, now = Pace(delay, concurrency, 8), 0.0
    for host, passed, _, status, retry_after in events:
        now += passed
        for _ in range(4):  # a rounding error may ask for another moment
            if not (wait := pace.may(host, now)):
                break
            now += wait
        assert pace.may(host, now) == 0
        answered(pace, now + 0.1, status, retry_after, 0.1, host)
        now += 0.1


def test_hosts_do_not_wait_for_each_other():
    pace = Pace(10, 1)
    pace.started(HOST, 0)
    assert pace.may(HOST, 4) == 6
    assert pace.may("b.example", 4) == 0


def test_a_full_host_waits_until_one_is_back():
    pace = Pace(0, 2)
    pace.started(HOST, 0)
    assert pace.may(HOST, 0) == 0
    pace.started(HOST, 0)
    assert pace.may(HOST, 100) > 0
    pace.finished(HOST, 100, 200, None, 100)
    assert pace.may(HOST, 100) == 0


@pytest.mark.parametrize("status", [429, 503])
def test_overload_doubles_the_delay_up_to_its_limit_and_success_takes_it_back(status):
    pace = Pace(1, 4, max_delay=10)
    delays = []
    for round_ in range(5):
        answered(pace, 100.0 * round_, status)
        delays.append(pace.delay_of(HOST))
    assert delays == [2, 4, 8, 10, 10]
    answered(pace, 1000, 200)
    assert pace.delay_of(HOST) == 9
    for round_ in range(40):
        answered(pace, 2000 + 100 * round_, 404)
    assert pace.delay_of(HOST) == 1


def test_while_backing_off_one_request_at_a_time_is_made():
    pace = Pace(0, 4)
    answered(pace, 1, 429)
    assert pace.delay_of(HOST) == 1
    pace.started(HOST, 3)
    assert pace.may(HOST, 50) > 0


def test_one_overload_seen_by_four_requests_doubles_once():
    pace = Pace(1, 4)
    for start in (0, 1, 2, 3):
        pace.started(HOST, start)
    for end in (4, 5, 6, 7):
        pace.finished(HOST, end, 429, None, 4)
    assert pace.delay_of(HOST) == 2


def test_server_errors_neither_double_nor_heal():
    pace = Pace(1, 1)
    answered(pace, 0, 503)
    for now in (10, 20):
        answered(pace, now, 500)
        answered(pace, now + 5, None)
    assert pace.delay_of(HOST) == 2


def test_retry_after_is_kept_and_a_shorter_one_does_not_shorten_it():
    pace = Pace(1, 2)
    answered(pace, 0, 429, retry_after=100)
    answered(pace, 0, 429, retry_after=5)
    assert pace.may(HOST, 40) == 60
    assert pace.may(HOST, 100) == 0
    answered(pace, 200, 503, retry_after=1e9)
    assert pace.may(HOST, 200) == MAX_RETRY_AFTER


def test_crawl_delay_is_a_minimum_and_has_a_maximum():
    pace = Pace(2, 4)
    pace.set_crawl_delay(HOST, 1)
    assert pace.delay_of(HOST) == 2
    pace.set_crawl_delay(HOST, 7)
    assert pace.delay_of(HOST) == 7
    pace.set_crawl_delay(HOST, 1e6)
    assert pace.delay_of(HOST) == 60
    pace.set_crawl_delay(HOST, None)
    assert pace.delay_of(HOST) == 2


def test_slow_hosts_are_asked_less_but_one_page_that_hangs_stops_nothing():
    pace = Pace(1, 1)
    for now in range(0, 100, 10):
        answered(pace, now, seconds=5)
    assert pace.delay_of(HOST) == 5
    answered(pace, 100, None, seconds=1000)
    assert pace.delay_of(HOST) == 10
    for now in range(200, 400, 10):
        answered(pace, now, seconds=0.1)
    assert pace.delay_of(HOST) == 1
    unhindered = Pace(0, 1)
    answered(unhindered, 0, seconds=5)
    assert unhindered.delay_of(HOST) == 0


def test_hosts_that_are_done_with_are_forgotten():
    pace = Pace(1, 1)
    pace.set_crawl_delay("slow.example", 9)
    answered(pace, 0, 429, host="tired.example")
    for number in range(20_000):
        answered(pace, number * 2.0, host=f"{number}.example")
    assert len(pace._hosts) <= 1100
    assert pace.delay_of("slow.example") == 9
    assert pace.delay_of("tired.example") == 2


NOW = datetime(2024, 3, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0), (" 30 ", 30), ("1" * 90, MAX_RETRY_AFTER), ("-1", None), ("1.5", None), ("", None), (None, None), ("soon", None), ("٣", None),
        ("Fri, 01 Mar 2024 10:00:30 GMT", 30), ("Friday, 01-Mar-24 10:00:30 GMT", 30), ("Fri Mar  1 10:00:30 2024", 30),
        ("Fri, 01 Mar 2024 11:00:30 +0100", 30), ("Fri, 01 Mar 2024 09:00:00 GMT", 0), ("Fri, 01 Mar 2924 09:00:00 GMT", MAX_RETRY_AFTER),
        ("Fri, 99 Mar 2024 09:00:00 GMT", None), ("Fri, 01 Mar 99999 09:00:00 GMT", None), ("1" * 1000, None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_seconds(value, NOW) == seconds
    assert retry_after_seconds(value, NOW.astimezone(timezone(timedelta(hours=9)))) == seconds


@given(st.text(max_size=120))
def test_any_retry_after_is_read_without_harm(value):
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER


@pytest.mark.parametrize("arguments", [(-1, 1), (float("nan"), 1), (1, 0), (float("inf"), 1)])
def test_a_pace_that_cannot_be_kept_is_refused(arguments):
    with pytest.raises(ValueError, match="concurrency"):
        Pace(*arguments)
