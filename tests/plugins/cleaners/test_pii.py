import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners.pii import Pii
from plugins.cleaners.pii_columns import heading
from plugins.cleaners.pii_keys import is_random

ROOT = Path(__file__).resolve().parents[3]
WCXB = ROOT.parent / "shared/data/extraction/wcxb-dev/ground-truth"
sys.path.insert(0, str(ROOT))

PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + ("MIIEpAIBAAKCAQEAp2ARSMmDi8YTn84skOOS" * 2 + "\n") * 3
GITHUB = "ghp_" + "kDoOFKTLs4YdjPIB44G37AdIlGYHPKV97iYX"
PIECES = [
    "dana@inn.example", "jörg@müller.example", "(212) 555-0123", "0171 3920021", "+44 20 7946 0958", "call ", "phone ", "81.174.22.190", "2001:db8:4f::17",
    "4111 1111 1111 1111", "GB29 NWBK 6016 1331 9268 19", "api_key = ", "b896db15ec7234c8824fb8a65008d662", "https://bob:hunter2@", "host.example/?token=abc123",
    "[EMAIL]", "[PHONE]", "[KEY]", "version ", "ISBN ", "0-306-40615-2", GITHUB, PEM, "-----END RSA PRIVATE KEY-----", " ", "\n", ", ", "1", "24", ":", "@", "\ufffd", "\x00",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="0123456789 +-().:@/a", max_size=80),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
)


def clean(text, **options):
    return apply(text, Pii(**options).clean(text))


@settings(max_examples=300)
@given(TEXTS, st.sampled_from(["[{kind}]", "", "<{kind}>", "x", "{kind}@pii.example"]))
def test_cleaning_twice_changes_nothing_more(text, placeholder):
    once = clean(text, placeholder=placeholder)
    assert clean(once, placeholder=placeholder) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("card 4111 1111 1111 1111 12/25, or 4111-1111-1111-1111", "card [CARD] 12/25, or [CARD]"),
        ("card 4111 1111 1111 1112", "card 4111 1111 1111 1112"),
        ("order 4111111111111111", "order 4111111111111111"),
        ("to DE89 3704 0044 0532 0130 00.", "to [IBAN]."),
        ("to DE88 3704 0044 0532 0130 00.", "to DE88 3704 0044 0532 0130 00."),
        ("ball is 65cm which means it will also work", "ball is 65cm which means it will also work"),
        ("ping 45.33.32.156, not 10.0.0.1 or 127.0.0.1", "ping [IP], not 10.0.0.1 or 127.0.0.1"),
        ("version 45.33.32.156 and lib-45.33.32.156", "version 45.33.32.156 and lib-45.33.32.156"),
        ("Boston, MA  02110-1301; 5495.8852765", "Boston, MA  02110-1301; 5495.8852765"),
        ("see 14.1.2.3; the server is 14.1.2.3", "see 14.1.2.3; the server is [IP]"),
        ("using RSA key 647F28654894E3BD457199BE38DBBDC86092693E", "using RSA key 647F28654894E3BD457199BE38DBBDC86092693E"),
        ("[IPv6:2a00:1450:4864:20::54f] fe80::1 std::vector", "[IPv6:[IP]] fe80::1 std::vector"),
        ("030/1234567 and +47 406 12 345", "[PHONE] and [PHONE]"),
        ("2019;28(12):2257-2269. ISBN 0-306-40615-2", "2019;28(12):2257-2269. ISBN 0-306-40615-2"),
        ("ticket 020 7946 0321, 2016-12-19 20:15:07", "ticket 020 7946 0321, 2016-12-19 20:15:07"),
        ("git@github.com:a/b, logo@2x.png, @me@host.social", "git@github.com:a/b, logo@2x.png, @me@host.social"),
        ("ann (at) inn.example; jo@inn.com.Then", "[EMAIL]; [EMAIL].Then"),
        ("https://bob:hunter2@h.example/?a=1&token=abc123#x", "https://[URL_SECRET]@h.example/?a=1&token=[URL_SECRET]#x"),
        ("https://user:password@h.example amqp://guest:guest@h", "https://user:password@h.example amqp://guest:guest@h"),
        ('api_key = "YOUR_API_KEY_0123" token = config.auth2.value', 'api_key = "YOUR_API_KEY_0123" token = config.auth2.value'),
        ('api_key = "b896db15ec7234c8824fb8a65008d662"', 'api_key = "[KEY]"'),
        ("sha256: b896db15ec7234c8824fb8a65008d662", "sha256: b896db15ec7234c8824fb8a65008d662"),
        (f"use {GITHUB}.", "use [KEY]."),
        ("2125550123 and 07700900123, 9876543210", "2125550123 and 07700900123, 9876543210"),
        ("text me 2125550123 or 07400112233 (mobile)", "text me [PHONE] or [PHONE] (mobile)"),
        ("id,mobile,age\n77,2125550123,31\n78,2125550124,9", "id,mobile,age\n77,[PHONE],31\n78,[PHONE],9"),
        ("id,pages,age\n77,2125550123,31", "id,pages,age\n77,2125550123,31"),
        ("Phone:\n2125550123\nBuild\n2125550123", "Phone:\n[PHONE]\nBuild\n2125550123"),
        ("Lost: tabby cat. 07400112233\nLost 07400112233 bits", "Lost: tabby cat. [PHONE]\nLost 07400112233 bits"),
        ("0711/12345-678, 0711 12345-678", "[PHONE], [PHONE]"),
        ("polled mode on the 8250/16550", "polled mode on the 8250/16550"),
        ("Keys 1-1 of 1 for DA73759BF8619E484E5A3B47389A54219C0F2430", "Keys 1-1 of 1 for DA73759BF8619E484E5A3B47389A54219C0F2430"),
        ("he sent 4532457586083259204", "he sent [CARD]"),
        ("he sent 4222222222222", "he sent 4222222222222"),
        ("here 4222222222222 04/27", "here [CARD] 04/27"),
        ("Authorization: Bearer b896db15ec7234c8824fb8a65008d662", "Authorization: Bearer [KEY]"),
        ("the leaked one, b896db15ec7234c8824fb8a65008d662", "the leaked one, [KEY]"),
        ("token parser, see commit b896db15ec7234c8824fb8a65008d66200112233", "token parser, see commit b896db15ec7234c8824fb8a65008d66200112233"),
        ("the cache key for it: b896db15ec7234c8824fb8a65008d662 (md5)", "the cache key for it: b896db15ec7234c8824fb8a65008d662 (md5)"),
        (f"a\n{PEM}-----END RSA PRIVATE KEY-----\nb", "a\n[PRIVATE_KEY]\nb"),
        ("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----"),
    ],
)  # fmt: skip
def test_what_is_replaced_and_what_is_left(text, expected):
    assert clean(text) == expected


def test_only_the_kinds_asked_for_go_and_placeholders_follow_the_pattern():
    text = "dana@inn.example 81.174.22.190"
    assert clean(text, kinds=("ip",), placeholder="<{kind}>") == "dana@inn.example <IP>"


def test_what_is_reserved_for_examples_stays_if_asked():
    text = "john@mail.example.com 192.0.2.127 2001:db8::7 +1 212 555 0123, 4111 1111 1111 1111 GB29 NWBK 6016 1331 9268 19"
    assert clean(text, examples=False) == text
    assert clean(text) == "[EMAIL] [IP] [IP] [PHONE], [CARD] [IBAN]"
    assert clean("jo@inn.shop 81.174.22.190 +44 20 7123 4567", examples=False) == "[EMAIL] [IP] [PHONE]"


@settings(max_examples=200)
@given(TEXTS)
def test_cleaning_all_but_examples_twice_changes_nothing_more(text):
    once = clean(text, examples=False)
    assert clean(once, examples=False) == once


@given(st.text(alphabet='",|;\t\nap1', max_size=60), st.integers(0, 60))
def test_a_heading_is_text_of_a_line_above(text, place):
    place = min(place, len(text))
    assert heading(text, place) in text[:place]


def test_commas_in_quotes_part_no_columns():
    assert clean('"a, b",phone\n"c, 1",2125550123\n') == '"a, b",phone\n"c, 1",[PHONE]\n'
    assert clean('phone,a,b\n"2, 2125550123, 3"') == 'phone,a,b\n"2, 2125550123, 3"'


def test_national_numbers_are_those_of_the_regions():
    assert clean("ring 0171 3920021", regions=("US",)) == "ring 0171 3920021"
    assert clean("ring 079 123 45 67", regions=("CH",)) == "ring [PHONE]"


def test_a_region_that_is_none_is_a_fault_that_says_what_to_type():
    with pytest.raises(ValueError, match='"UK" is no country .* "GB"'):
        Pii(regions=("UK",)).check()


@pytest.mark.parametrize("text", ["1" * 10**6, "a@" * 10**5, "1 " * 10**5, "(" * 10**6, "aB1" * 10**5, "key=" * 10**5, "-----BEGIN PRIVATE KEY-----" * 10**4, "phone,id\n" + "2125550123,7\n" * 10**4, "2000:" * 10**5, "(at)" * 10**5])  # fmt: skip
def test_hostile_texts_end(text):
    Pii().clean(text)


@pytest.mark.parametrize("value", ["a" * 500 + "!", "aB" * 200 + "-", "a1" * 8 + "." * 400])
def test_the_test_of_randomness_ends(value):
    assert not is_random(value, 16)


def test_every_planted_shape_is_found_on_the_half_it_was_made_with():
    from bench.labels import samples
    from bench.pii_quality import is_covered

    missed = [
        row["id"]
        for row, text in samples.planted("dev")
        if not is_covered(text, *(row.get("secret") or (row["start"], row["end"])), [(e.start, e.end) for e in Pii().clean(text)])
    ]  # fmt: skip
    assert not missed


def test_innocent_lines_of_that_half_stay_as_they_are():
    from bench.labels import samples

    assert [row["id"] for row, text in samples.innocent("dev") if clean(text) != text] == []


@pytest.mark.skipif(not WCXB.exists(), reason="needs ../shared/data/extraction")
def test_real_texts_lose_what_was_judged_and_little_else():
    judged = {
        row["file"]
        for row in map(json.loads, (ROOT / "bench/labels/pii_real.jsonl").read_text().splitlines())
    }
    changed = {
        path.stem
        for path in sorted(WCXB.glob("*.json"))[::4]
        if Pii().clean(json.loads(path.read_bytes())["ground_truth"]["main_content"] or "")
    }
    assert len(changed - judged) <= 1
    assert len(changed) >= 15
