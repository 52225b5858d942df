import numpy as np
import pyarrow as pa
import pytest
from datatrove_oracle import words_of
from hypothesis import given, strategies as st

from plugins.kernels.buffers import Texts, buffers
from plugins.kernels.sentences import sentences
from plugins.kernels.tokens import tokens

TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from([
        *"aB1.,-'’()\n :/@#&%$+é日ก́😀\u200b\u00ad\x00",
        "..",
        "n't ",
        "U.S. ",
        "10km",
        "http://a.b/",
        "don't",
    ]),
    max_size=40,
).map("".join)


def count_sentences(text):
    part = next(iter(buffers(pa.array([text], pa.large_string()))))
    return int(sentences(part, tokens(part))[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # English, as spaCy 3.8's blank pipeline cuts it
        ("don't it’s we're cannot dont", "do n't it ’s we 're can not do nt"),
        ("John's dogs' DON'T its well", "John 's dogs ' DON'T its well"),
        ("well-known COVID-19 1990-2000 a--b", "well - known COVID-19 1990 - 2000 a -- b"),
        ("3.5 1,000 10:30 example.com foo_bar x,y", "3.5 1,000 10:30 example.com foo_bar x , y"),
        ("U.S. e.g. Mr. etc. NATO. end.", "U.S. e.g. Mr. etc . NATO . end ."),
        ("a/b and/or Word.Next", "a / b and/or Word . Next"),
        ("10km $5 50% 10pm US$5 5€ +5", "10 km $ 5 50 % 10 pm US$ 5 5 € +5"),
        ("https://a-b.com/x-y, me@x-y.org", "https://a-b.com/x-y , me@x-y.org"),
        ('("really")... ..so.. wait… :-)', '( " really " ) ... .. so .. wait … :-)'),
        ("#tag @user foo(bar) AT&T", "# tag @user foo(bar ) AT&T"),
        # other scripts
        ("naïve café, Ångström.", "naïve café , Ångström ."),
        ("Привет, мир! Кто-то", "Привет , мир ! Кто - то"),
        ("Καλημέρα κόσμε;", "Καλημέρα κόσμε ;"),
        ("مرحبا، كيف؟", "مرحبا ، كيف ؟"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया ।"),
        ("สวัสดี", "ส วั ส ดี"),
        ("你好，world世界。", "你 好 ， world 世 界 。"),
        ("カナ한국어", "カ ナ 한국어"),
        ("ok😀👍🏽 ❤️x", "ok 😀 👍 🏽 ❤️ x"),
        ("soft\u00adhyphen zero\u200bwidth", "soft\u00adhyphen zero width"),
        ("a\u0301bc. e\u0301.", "a\u0301bc . e\u0301 ."),
        ("\x00 a\x00b", "\x00 a\x00b"),
    ],
)
def test_words_are_cut_by_the_rule(text, expected):
    assert words_of(text) == expected.split(" ")


@given(TEXTS)
def test_every_character_but_white_space_is_in_one_token(text):
    assert "".join(words_of(text)) == "".join(text.replace("\u200b", " ").split())
    assert all(words_of(text))


@given(st.lists(TEXTS, max_size=6))
def test_tokens_do_not_depend_on_the_batch(texts):
    column = pa.array(["x", *texts], pa.large_string()).slice(1)
    for part in buffers(column):
        spans = tokens(part)
        for index, text in enumerate(texts):
            first, last = spans.offsets[index : index + 2]
            lengths = (spans.ends - spans.starts)[first:last].tolist()
            assert lengths == [len(word.encode()) for word in words_of(text)]


@given(
    st.lists(
        st.text("aA1.-(é\u0301日\x00", min_size=1, max_size=5).map(lambda piece: piece * 7)
        | st.text("aZ9.,-_('é\x00", min_size=1, max_size=30),
        min_size=1,
        max_size=40,
    )
)
def test_a_run_is_cut_alike_however_many_came_before(runs):
    alone = [word for run in runs for word in words_of(run)]
    assert words_of(" ".join(runs * 2)) == alone * 2


@given(TEXTS, st.binary(max_size=40))
def test_what_lies_beyond_a_text_is_not_seen(text, beyond):
    encoded = text.encode()
    offsets = np.array([0, len(encoded)], np.int64)
    offsets.flags.writeable = False
    exact, among = (
        tokens(Texts(np.frombuffer(data, np.uint8), offsets)) for data in (encoded, encoded + beyond)
    )
    assert all(map(np.array_equal, exact, among))


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_tokens_of_bytes_that_are_no_text_stay_in_their_text(texts):
    offsets = np.cumsum([0, *map(len, texts)])
    offsets.flags.writeable = False
    spans = tokens(Texts(np.frombuffer(b"".join(texts), np.uint8), offsets))
    owners = np.repeat(np.arange(len(texts)), np.diff(spans.offsets))
    assert (spans.starts < spans.ends).all()
    assert (spans.starts >= offsets[owners]).all()
    assert (spans.ends <= offsets[owners + 1]).all()


@pytest.mark.parametrize(
    ("character", "count"),
    [("a", 1), (".", 1), (" ", 0), ("\x00", 1), ("!", 10**7), ("日", 10**7), ("\u0301", 1), ("-", 1)],
)
def test_ten_million_of_one_character_take_a_second(character, count):
    part = next(iter(buffers(pa.array([character * 10**7], pa.large_string()))))
    assert len(tokens(part).starts) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n", 0),
        ("One", 1),
        ("One. Two! Three?", 3),
        ("Wait... what?!", 1),
        ('He said "no." Then', 2),
        ('One.\n"!', 2),
        ("Mr. Smith of the U.S. came.\n\n", 1),
        ("你好。世界。", 2),
        ("कैसे हो। ठीक।", 2),
    ],
)
def test_a_sentence_ends_after_a_terminal(text, count):
    assert count_sentences(text) == count
