from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from plugins.contracts import Threshold
from plugins.filters.url import Url, host_of

LISTS = {
    "domains": "# remark\nbad.example\n\nWorse.Example\n",
    "urls": "https://fine.example/one\n",
    "words": "x-rated\nfoo\n",
    "soft_words": "one\ntwo\nthree\n",
    "subwords": "casino\npoker\n",
}


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    for name, content in LISTS.items():
        (folder / name).write_text(content, "utf-8")
    return {name: str(folder / name) for name in LISTS}


def verdicts(url, addresses):
    documents = pl.DataFrame(
        {"text": [None] * len(addresses), "url": addresses}, schema={"text": pl.String, "url": pl.String}
    )
    scores = url.score_documents(documents)
    rules = url.rules()
    fails = scores.select(rule.fails.fill_null(value=True).alias(rule.reason) for rule in rules)
    return [next((rule.reason for rule in rules if row[rule.reason]), None) for row in fails.to_dicts()]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://bad.example/", "domain"),
        ("http://a.b.BAD.example:80/x", "domain"),
        ("https://worse.example./", "domain"),
        ("https://me:pw@bad.example", "domain"),
        ("bad.example/page", "domain"),
        ("https://notbad.example/", None),
        ("https://bad.example.org/", None),
        ("https://fine.example/?to=bad.example", None),
        ("https://fine.example/one", "url"),
        ("https://fine.example/one?", None),
        ("https://fine.example/xrated", "word"),
        ("https://fine.example/FOO", None),
        ("https://fine.example/foot", None),
        ("https://fine.example/one-one", None),
        ("https://fine.example/one-two", "soft_words"),
        ("https://best-ca-si-no.example/", "subword"),
        ("https://bestCASINOS.example/", "subword"),
        ("https://[broken/", None),
        ("\0", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_judged_by_every_list_in_order(lists, address, reason):
    assert verdicts(Url(**lists), [address]) == [reason]


def test_what_was_found_is_told_and_a_list_not_given_finds_nothing(lists):
    documents = pl.DataFrame({"text": ["a"], "url": ["https://bad.example/foo/one/two/casino"]})
    assert Url(**lists).score_documents(documents).rows() == [("bad.example", None, "foo", 2, "casino")]
    assert Url(words=lists["words"]).score_documents(documents).rows() == [(None, None, "foo", 0, None)]
    assert Url(**lists).score(pl.Series(["bad.example", None])).rows() == [(None, None, None, 0, None)] * 2


def test_soft_words_drop_from_the_threshold_on(lists):
    address = ["https://fine.example/one-two"]
    assert verdicts(Url(soft_words=lists["soft_words"], soft_word_threshold=2), address) == ["soft_words"]
    assert verdicts(Url(soft_words=lists["soft_words"], soft_word_threshold=3), address) == [None]


@given(st.lists(st.none() | st.text("abcino.:/-#?[]@ONE2\0é"), max_size=6))
def test_no_address_raises_or_changes_with_its_neighbours(lists, addresses):
    url = Url(**lists)
    assert verdicts(url, addresses) == [one for address in addresses for one in verdicts(url, [address])]


def test_several_files_make_one_list_and_an_edited_file_is_read_again(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a.example", "utf-8")
    two.write_text("b.example", "utf-8")
    url = Url(domains=(str(one), str(two)))
    assert verdicts(url, ["https://a.example", "https://b.example"]) == ["domain", "domain"]
    one.write_text("c.example.org", "utf-8")
    assert verdicts(url, ["https://a.example", "https://c.example.org"]) == [None, "domain"]


def test_a_filter_without_a_list_is_refused():
    with pytest.raises(ValidationError, match="names no list"):
        Url()


def test_the_threshold_is_no_part_of_the_scores_identity():
    one, two = (Url(words="a", soft_word_threshold=n).identity(without=Threshold) for n in (2, 3))
    assert one == two


def test_hosts_that_are_none_are_empty():
    assert [host_of(text) for text in ("", "http://", "//", "http://[::1", "mailto:a@b.example")] == [
        "",
        "",
        "",
        "",
        "b.example",
    ]


HOSTS = st.sampled_from([
    "bad.example",
    "a.bad.com",
    "bad.com",
    "x.blocked.org",
    "blocked.org",
    "fine.org",
    "www.fine.org",
])
WORDS = st.lists(
    st.sampled_from(["foo", "Foo", "xrated", "one", "two", "ONE", "bestcasinos", "Po", "ker"]), max_size=5
)


def datatroves_filter(domains):
    """URLFilter without what it takes from elsewhere: tldextract (here: the last two names) and an Aho-Corasick automaton."""
    from datatrove.pipeline.filters.url_filter import URLFilter, parse_list

    def parts(address):
        host = address.split("/")[2]
        return SimpleNamespace(registered_domain=".".join(host.split(".")[-2:]), fqdn=host)

    read = {name: [line for line in content.splitlines() if line] for name, content in LISTS.items()}
    theirs = object.__new__(URLFilter)
    theirs.soft_word_threshold = 2
    theirs.block_listed_domains = parse_list(domains, do_normalize=False)
    theirs.block_listed_url = parse_list(read["urls"], do_normalize=False)
    theirs.banned_words, theirs.soft_banned_words, theirs.banned_subwords = (
        parse_list(read[name]) for name in ("words", "soft_words", "subwords")
    )
    theirs.banned_subwords_automaton = SimpleNamespace(
        iter=lambda text: iter([word for word in theirs.banned_subwords if word in text])
    )
    theirs.use_integrated_lists, theirs._downloaded, theirs.tldextractor = False, True, parts
    return theirs


@settings(max_examples=300)
@given(HOSTS, WORDS, st.sampled_from("/-_.?"))
def test_decisions_are_those_of_datatrove(lists, host, words, between):
    from datatrove.data import Document

    address = f"https://{host}/{between.join(words)}"
    answer = datatroves_filter(["bad.com", "x.blocked.org"]).filter(
        Document(text="", id="", metadata={"url": address})
    )
    named = {
        "subdomain": "domain",
        "hard_blacklisted": "word",
        "soft_blacklisted": "soft_words",
        "blacklisted_subword": "subword",
    }
    reason = named.get(answer[1], answer[1]) if isinstance(answer, tuple) else None
    file = Path(lists["domains"]).with_name("two_domains")
    file.write_text("bad.com\nx.blocked.org\n", "utf-8")
    assert verdicts(Url(**lists | {"domains": str(file)}), [address]) == [reason]
