import json
import re

import datatrove.pipeline.filters.gopher_repetition_filter as peer
import polars as pl
import pytest
from datatrove.data import Document
from hypothesis import given, settings, strategies as st

from plugins.contracts import Threshold
from plugins.filters.gopher_repetition import MEASURES, GopherRepetition
from plugins.kernels.buffers import buffers
from plugins.kernels.repetition import COLUMNS
from plugins.kernels.tokens import tokens

REPETITIVE = st.lists(
    st.sampled_from([
        *"abcé \n",
        "\n\n",
        " a b",
        "don't ",
        "e.g. ",
        "\x00",
        "日本",
        "a, b; c. " * 5,
        "one two\n" * 3,
    ]),
    max_size=80,
).map("".join)


def reasons(texts, **options):
    """As `judge` finds them."""
    plugin = GopherRepetition(**options)
    failed = plugin.score(pl.Series(texts, dtype=pl.String)).select(
        pl.coalesce(
            pl.when(rule.fails.fill_null(value=True)).then(pl.lit(rule.reason)) for rule in plugin.rules()
        )
    )
    return failed.to_series().to_list()


def words_of(texts):
    """Our words of each text, as strings."""
    words = {}
    for part in buffers(pl.Series(texts, dtype=pl.String).to_arrow()):
        data, spans = bytes(part.data), tokens(part)
        found = [
            data[start:end].decode()
            for start, end in zip(spans.starts.tolist(), spans.ends.tolist(), strict=True)
        ]
        bounds = zip(
            part.offsets[:-1].tolist(),
            part.offsets[1:].tolist(),
            spans.offsets[:-1],
            spans.offsets[1:],
            strict=True,
        )
        words |= {data[start:end].decode(): found[first:last] for start, end, first, last in bounds}
    return words


def by_datatrove(monkeypatch, texts, **options):
    """Reasons of datatrove's filter when it is given our words."""
    words = words_of(texts)
    monkeypatch.setattr(peer, "split_into_words", lambda text, _: words[text])
    results = [peer.GopherRepetitionFilter(**options).filter(Document(text=text, id="")) for text in texts]
    named = [None if result is True else result[1] for result in results]
    return [name and re.sub(r"duplicated_(\d+)_n_grams", r"dup_\1_gram", name) for name in named]


def test_the_decision_and_its_reason_are_datatroves():
    @settings(max_examples=200)
    @given(st.lists(st.one_of(st.text(max_size=60), REPETITIVE), min_size=1, max_size=4))
    def agree(texts):
        with pytest.MonkeyPatch.context() as patched:
            assert reasons(texts) == by_datatrove(patched, texts)

    agree()


@pytest.mark.parametrize("measure", MEASURES)
def test_every_bound_decides_as_datatroves(monkeypatch, measure):
    line = "The inn at the end of the road was old. "
    texts = [
        line,
        line * 3,
        (line + "\n") * 4,
        (line + "\n\n") * 4,
        line + "a b c d e f g h i j k " * 2,
        "a\n\nb",
    ]
    texts += [
        f"{line}{n} " + line * n + "The end of it, though, nobody in that whole valley ever knew."
        for n in range(3)
    ]
    n = re.search(r"\d+", measure)
    off = dict.fromkeys(MEASURES)
    theirs = {
        **dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")),
        "top_n_grams": (),
        "dup_n_grams": (),
    }
    for bound in (0.05, 0.2, 0.4):
        their = {f"{measure[:3]}_n_grams": ((int(n[0]), bound),)} if n else {measure: bound}
        found = reasons(texts, **{**off, measure: bound})
        assert found == by_datatrove(monkeypatch, texts, **{**theirs, **their})


@pytest.mark.slow
def test_the_decision_is_datatroves_on_real_texts(monkeypatch, shared_data):
    paths = sorted((shared_data / "extraction/wcxb-dev/ground-truth").glob("*.json"))
    texts = [json.loads(path.read_text("utf-8"))["ground_truth"]["main_content"] or "" for path in paths]
    texts += [path.read_text("utf-8", "replace") for path in sorted((shared_data / "books").rglob("*.txt"))]
    texts += [
        re.sub(r"<[^>]+>", "", path.read_text("utf-8", "replace"))
        for path in sorted((shared_data / "lid-udhr").rglob("*.html"))
    ]
    assert len(texts) > 1500
    found = reasons(texts)
    assert found == by_datatrove(monkeypatch, texts)
    assert len(set(found)) > 6


def test_scores_are_named_as_the_kernel_orders_them():
    assert COLUMNS == MEASURES
    assert GopherRepetition.marked(Threshold) == set(MEASURES)


def test_a_row_depends_on_its_text_alone():
    texts = ["one two one two", "", None, "a\na\nb", "x y z " * 40]
    whole = GopherRepetition().score(pl.Series(texts, dtype=pl.String)).rows()
    apart = [GopherRepetition().score(pl.Series([text], dtype=pl.String)).row(0) for text in texts]
    assert whole == apart


def test_empty_texts_fail_as_empty_and_without_words_pass_or_fail_by_their_lines():
    assert reasons([None, "", " ", "\x00", "…", "\n\n\n\n"]) == [
        "empty",
        "empty",
        None,
        None,
        None,
        "dup_line_frac",
    ]
    scored = GopherRepetition().score(pl.Series([None, ""], dtype=pl.String))
    assert scored.null_count().row(0) == (2,) * len(MEASURES)
    assert GopherRepetition().score(pl.Series([], dtype=pl.String)).schema == scored.schema


def test_a_bound_that_is_not_given_does_not_decide():
    assert reasons(["a b"]) == ["top_2_gram"]
    assert reasons(["a b"], top_2_gram=None) == [None]


def test_ten_megabytes_of_one_character_are_scored():
    assert reasons(["a" * 10_000_000]) == [None]
