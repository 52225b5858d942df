"""Dedup as DESIGN section 3 states it: exact first, then proven near-duplicates, in survivor order."""

import random
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from corpus.phases import dedup_fuzzy, dedup_url
from corpus.phases.dedup import Others, dedup, survivor_order
from plugins.kernels.signatures import exact_hashes, sign
from plugins.kernels.words import shingles
from schemas.errors import LedgerError
from schemas.recipe import Dedup, Fuzzy
from schemas.tables import DUPLICATES, EDGES

SURE = Fuzzy(threshold=0.5, ngram=1, permutations=256, recall=1 - 1e-9)
"""LSH of 128 bands of 2 rows: no pair at the threshold escapes in practice, so that a brute-force oracle applies."""


def candidates(texts, fuzzy=None, **columns):
    """A table of candidates for {doc_id: text}, as annotate and clean make it."""
    column = pa.array(texts.values(), pa.large_string())
    fuzzy = fuzzy or Fuzzy()
    signed = sign(column, fuzzy.ngram, fuzzy.permutations)
    fixed = {
        "doc_id": pa.array(texts, pa.string()),
        "exact_hash": exact_hashes(column),
        "n_shingles": signed["n_shingles"],
        "minhash": signed["minhash"],
        "n_chars": pa.array([len(text) for text in texts.values()], pa.int64()),
        "url": pa.nulls(len(texts), pa.string()),
    }
    return pa.table({**fixed, **columns})


def reader(texts, rows=3):
    """Reads texts in small tables, not in the order asked for."""

    def load(part):
        return pa.table({
            "doc_id": part,
            "text": pa.array([texts[doc_id] for doc_id in part], pa.large_string()),
        })

    def read(doc_ids):
        ids = sorted(doc_ids, reverse=True)
        return (partial(load, ids[start : start + rows]) for start in range(0, len(ids), rows))

    return read


def find(texts, options=None, **columns):
    options = options or Dedup()
    return dedup(candidates(texts, options.fuzzy, **columns), options, reader(texts))


def true_similarity(one, other, ngram=5):
    a, b = (set(found.tolist()) for found in shingles(pa.array([one, other]), ngram))
    return len(a & b) / len(a | b)


def rows(found):
    return {
        row["doc_id"]: (row["survivor_id"], row["similarity"], row["method"])
        for row in found.duplicates.to_pylist()
    }


PROSE = "the innkeeper looks up from her ledger and says that no room is free tonight because of the fair in town "
LONG = (
    PROSE
    + "and that the stable may do for anyone who does not mind the horses or the cold of an early spring"
)


def test_equal_texts_point_at_the_first_in_survivor_order():
    found = find({"a": "One text.", "b": "One  text.\n", "c": "Another."}, Dedup(survivor=("-n_chars",)))
    assert rows(found) == {"a": ("b", 1.0, "exact")}
    assert found.edges.to_pylist() == [{"doc_a": "a", "doc_b": "b", "similarity": 1.0}]


def test_near_texts_name_their_true_similarity():
    texts = {"a": LONG, "b": LONG + " indeed", "c": "something else altogether with words of its own"}
    assert rows(find(texts)) == {"a": ("b", true_similarity(LONG, LONG + " indeed"), "fuzzy")}


def test_copies_of_a_dropped_document_point_at_the_one_finally_kept():
    texts = {"a": LONG, "copy": LONG.replace(" ", "  ", 1), "kept": LONG + " and the rain in winter"}
    found = find(texts, Dedup(fuzzy=Fuzzy(threshold=0.7)))
    similarity = true_similarity(texts["a"], texts["kept"])
    assert rows(found) == {"a": ("kept", similarity, "fuzzy"), "copy": ("kept", similarity, "fuzzy")}
    assert {(row["doc_a"], row["doc_b"]) for row in found.edges.to_pylist()} == {
        ("a", "copy"),
        ("copy", "kept"),
    }


def test_exact_can_be_turned_off_and_so_can_fuzzy():
    texts = {"a": LONG, "b": LONG, "c": LONG + " indeed"}
    assert rows(find(texts, Dedup(fuzzy=None, survivor=("doc_id",)))) == {"b": ("a", 1.0, "exact")}
    only_fuzzy = rows(find(texts, Dedup(exact=False)))
    assert {doc_id: method for doc_id, (_, _, method) in only_fuzzy.items()} == {"a": "fuzzy", "b": "fuzzy"}
    assert find(texts, Dedup(exact=False, fuzzy=None)).duplicates.num_rows == 0


def test_one_address_is_one_document_whatever_it_says_and_its_true_similarity_is_told():
    texts = {
        "a": LONG + " indeed and more",
        "b": "quite other words here that nobody wrote before",
        "c": LONG,
    }
    urls = pa.array(["http://inn.org/x?utm_source=y", "https://www.inn.org/x/", None])
    found = rows(find(texts, Dedup(url=True), url=urls))
    assert found["b"] == ("a", 0.0, "url")
    assert found["c"] == ("a", true_similarity(texts["a"], texts["c"]), "fuzzy")


def test_addresses_that_name_no_page_are_not_one_address():
    texts = {"a": "one two", "b": "three four", "c": "five six"}
    assert rows(find(texts, Dedup(url=True), url=pa.array(["#top", "/", ""]))) == {}


def test_a_document_gone_by_its_address_keeps_no_other_from_staying():
    texts = {"a": "x y z", "b": LONG, "c": LONG}
    urls = pa.array(["http://inn.org/", "http://inn.org", "http://inn.org/other"])
    found = find(texts, Dedup(url=True, survivor=("doc_id",)), url=urls)
    assert rows(found) == {"b": ("a", 0.0, "url")}
    assert found.counts["url"] == 1


def test_pairs_by_address_are_the_same_however_few_are_compared_at_a_time(monkeypatch):
    texts = {f"{number}{half}": f"word{number} and {half}" for number in range(9) for half in "ab"}
    urls = pa.array([f"http://inn.org/{key[0]}" for key in texts])
    whole = find(texts, Dedup(exact=False, url=True, survivor=("doc_id",)), url=urls)
    monkeypatch.setattr(dedup_url, "BATCH_SHINGLES", 5)
    assert find(texts, Dedup(exact=False, url=True, survivor=("doc_id",)), url=urls) == whole
    assert whole.counts["url"] == 9


def test_an_address_whose_first_document_repeats_another_points_at_the_one_finally_kept():
    texts = {"a": LONG + " indeed", "b": LONG, "c": "other words"}
    urls = pa.array([None, "http://inn.org/", "http://inn.org/"])
    found = rows(find(texts, Dedup(url=True, survivor=("doc_id",)), url=urls))
    assert found == {
        "b": ("a", true_similarity(texts["a"], texts["b"]), "fuzzy"),
        "c": ("a", 0.0, "url"),
    }


def test_texts_without_words_are_duplicates_only_when_equal():
    assert rows(find({"a": "***", "b": "***", "c": "---"}, Dedup(survivor=("doc_id",)))) == {
        "b": ("a", 1.0, "exact")
    }


def test_nothing_to_compare_gives_empty_tables_of_the_right_schema():
    found = find({})
    assert (found.duplicates.schema, found.edges.schema) == (DUPLICATES, EDGES)
    assert found.counts["documents"] == 0


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("-n_chars",), "cabd"),
        (("n_chars",), "abcd"),
        (("url",), "bacd"),
        (("-url", "-doc_id"), "abdc"),
        (("-doc_id", "doc_id"), "dcba"),
        ((), "abcd"),
    ],
)
def test_survivor_order_puts_nulls_last_and_breaks_ties_by_id(keys, expected):
    table = pa.table({"doc_id": list("dcba"), "n_chars": [None, 9, 5, 5], "url": [None, None, "a", "b"]})
    assert "".join(table["doc_id"].take(survivor_order(table, keys)).to_pylist()) == expected


def chain(length):
    """Texts of 200 shingles, each .85 like the next: 184 shared of 216."""
    words = [f"w{number}" for number in range(16 * length + 204)]
    return {f"{index:03}": " ".join(words[16 * index : 16 * index + 204]) for index in range(length)}


def test_a_chain_of_200_keeps_about_half_and_every_dropped_one_is_like_its_survivor():
    texts = chain(200)
    assert true_similarity(texts["000"], texts["001"]) == pytest.approx(0.85, abs=0.005)
    found = find(texts)
    dropped = rows(found)
    assert 90 <= len(texts) - len(dropped) <= 110
    for doc_id, (survivor, similarity, _) in dropped.items():
        assert survivor not in dropped
        assert similarity == true_similarity(texts[doc_id], texts[survivor]) >= 0.8
    assert found.edges.num_rows == 199  # the whole chain hangs together, whatever was dropped


TEXTS = st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=0, max_size=9).map(" ".join), max_size=14)


@given(TEXTS, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_rows_and_of_texts_changes_nothing(texts, rng):
    named = {f"{index:02}": text for index, text in enumerate(texts)}
    shuffled = dict(rng.sample(sorted(named.items()), len(named)))
    options = Dedup(fuzzy=SURE)
    one, other = find(named, options), find(shuffled, options)
    assert one == other


@given(TEXTS)
@settings(max_examples=40)
def test_duplicates_are_those_of_the_definition(texts):
    """A brute-force oracle: every pair compared, no signatures."""
    named = {f"{index:02}": text for index, text in enumerate(texts)}
    order = sorted(named, key=lambda doc_id: (-len(named[doc_id]), doc_id))
    kept, expected = [], {}
    sets = {doc_id: set(text.split()) for doc_id, text in named.items()}
    for doc_id in order:
        equal = [other for other in order[: order.index(doc_id)] if named[other] == named[doc_id]]
        if equal:
            survivor, similarity, _ = expected.get(equal[0], (equal[0], 1.0, ""))
            expected[doc_id] = survivor, similarity, "exact" if survivor == equal[0] else "fuzzy"
            continue
        near = [
            (len(sets[doc_id] & sets[other]) / len(sets[doc_id] | sets[other] or {1}), other)
            for other in kept
        ]
        near = [pair for pair in near if pair[0] >= SURE.threshold]
        if near:
            similarity, survivor = max(near, key=lambda pair: (pair[0], -order.index(pair[1])))
            expected[doc_id] = survivor, similarity, "fuzzy"
        else:
            kept.append(doc_id)
    assert rows(find(named, Dedup(fuzzy=SURE))) == expected


def test_batches_of_neighbourhoods_give_what_one_batch_gives(monkeypatch):
    texts = {f"{name}{key}": text.replace("w", name) for name in "pqr" for key, text in chain(12).items()}
    whole = find(texts)
    asked = []

    def read(doc_ids):
        asked.append(len(doc_ids))
        return reader(texts)(doc_ids)

    monkeypatch.setattr(dedup_fuzzy, "BATCH_SHINGLES", 12 * 210)
    assert dedup(candidates(texts), Dedup(), read) == whole
    assert len(asked) > 1


def template(count, own):
    """Pages of one template: 150 words in common, `own` words of their own."""
    rng = random.Random(5)
    frame = " ".join(f"frame{number}" for number in range(150))
    return {
        f"{page:05}": frame + " " + " ".join(f"x{rng.randrange(10**9)}" for _ in range(own))
        for page in range(count)
    }


PAGES = [5000, pytest.param(50_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("pages", PAGES)
def test_a_hot_bucket_of_pages_alike_is_one_document(pages):
    found = find(template(pages, own=8))
    assert found.counts["fuzzy"] == pages - 1
    assert found.counts["compared_pairs"] < 3 * pages


@pytest.mark.parametrize("pages", PAGES)
def test_a_hot_bucket_of_pages_that_only_share_a_template_costs_linear_work(pages):
    """Signatures propose these pages to each other, their texts tell them apart (Jaccard .56). The bound: CAP kept ones, and CAP
    dropped ones, a bucket; a document is in as many buckets as there are bands."""
    found = find(template(pages, own=60))
    assert found.counts["fuzzy"] == 0
    assert found.counts["capped_buckets"] > 0
    bands, _ = Fuzzy().shape
    assert found.counts["compared_pairs"] <= pages * dedup_fuzzy.CAP * bands


@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_another_corpus_stands_first_and_the_order_of_rows_changes_nothing(texts, theirs, rng):
    named = {f"{index:02}": text for index, text in enumerate(texts)}
    foreign = {f"\0{index:02}": text for index, text in enumerate(theirs)}
    everything = reader({**named, **foreign})
    options = Dedup(fuzzy=SURE)
    signed = candidates(foreign, SURE)
    others = Others(*(np.array(list(foreign), dtype=object) for _ in range(3)), signed)
    shuffled = dict(rng.sample(sorted(named.items()), len(named)))
    one, other = (dedup(candidates(rows, SURE), options, everything, others) for rows in (named, shuffled))
    assert one == other
    sets = {key: set(text.split()) for key, text in {**named, **foreign}.items()}
    for row in one.duplicates.to_pylist():
        ours, survivor = sets[row["doc_id"]], sets[row["survivor_id"]]
        assert (row["survivor_id"] in foreign) == (row["against"] is not None)
        assert row["similarity"] >= SURE.threshold
        assert row["similarity"] == (len(ours & survivor) / len(ours | survivor) if ours | survivor else 1.0)
    dropped = set(one.duplicates["doc_id"].to_pylist())
    for doc_id in named.keys() - dropped:
        assert all(
            len(sets[doc_id] & sets[key]) < SURE.threshold * len(sets[doc_id] | sets[key]) or not sets[key]
            for key in foreign
        )


def test_a_text_that_is_missing_or_not_the_one_signed_stops_the_build():
    texts = {"a": LONG, "b": LONG + " indeed"}
    table = candidates(texts)
    with pytest.raises(LedgerError, match="no text, a among"):
        dedup(table, Dedup(), lambda doc_ids: reader(texts)([doc_id for doc_id in doc_ids if doc_id != "a"]))
    with pytest.raises(LedgerError, match=r"document a has .* shingles"):
        dedup(table, Dedup(), reader({**texts, "a": "changed since"}))


def test_signatures_too_short_for_the_threshold_are_refused():
    texts = {"a": LONG, "b": LONG}
    table = candidates(texts, Fuzzy(permutations=16))
    with pytest.raises(ValueError, match="signatures have 16 values"):
        dedup(table, Dedup(exact=False), reader(texts))


# ------------------------------------------------------------------------------------------------ real data


def test_planted_plagiarism_is_found_and_nothing_else(shared_data):
    """McCormick's 1,000 articles, 10 of them plagiarised in pairs, at the tutorial's own setting: word 3-grams, .5."""
    folder = shared_data / "dedup" / "mccormick-minhash" / "data"
    lines = (folder / "articles_1000.train").read_text(encoding="utf-8").splitlines()
    texts = dict(line.split(" ", 1) for line in lines)
    planted = {frozenset(line.split()) for line in (folder / "articles_1000.truth").read_text().splitlines()}
    found = find(texts, Dedup(fuzzy=Fuzzy(threshold=0.5, ngram=3)))
    assert {frozenset((row["doc_id"], row["survivor_id"])) for row in found.duplicates.to_pylist()} == planted


@pytest.mark.parametrize("book", ["Love-Among-the-Chickens_3829", "Pride-and-Prejudice_1342"])
def test_editions_of_a_book_have_the_similarity_measured_for_them(shared_data, book):
    """The plain-text editions of `book_edition_pairs.tsv`, whose Jaccard similarities another program computed exactly."""
    lines = (shared_data / "dedup" / "book_edition_pairs.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines[1:] if line.startswith(book)]
    measured = {
        frozenset(pair[1:3]): float(pair[5])
        for pair in pairs
        if all(name.endswith(".txt") for name in pair[1:3])
    }
    texts = {name: read_book(shared_data / name) for name in sorted(set().union(*measured))}
    found = find(texts, Dedup(exact=False))
    assert found.edges.num_rows
    for row in found.edges.to_pylist():
        assert row["similarity"] == pytest.approx(
            measured[frozenset((row["doc_a"], row["doc_b"]))], abs=0.001
        )
    dropped = rows(found)
    near = {name for pair, similarity in measured.items() if similarity >= 0.8 for name in pair}
    assert len(near - dropped.keys()) == 1
    assert dropped.keys() < near


def read_book(path):
    """The whole file, as its encoding allows: UTF-8, else Latin-1."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
