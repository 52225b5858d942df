"""Sentences of lines, counted by the tokens of the whole text or by those of the lines."""

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from plugins.filters.c4 import C4
from plugins.kernels.buffers import buffers
from plugins.kernels.c4_lines import kept_lines
from plugins.kernels.line_sentences import line_sentences
from plugins.kernels.token_memo import remembered

PIECES = [
    "He left. She stayed", "Dr. Who?", "U.S. it is.", '"No!" she said.', "a.b", "...", "\u2026", ".", "!?", " ", "  ", "\n", "\r\n", "\x1c", "\x85",
    "\u2028", "\u200b", "\t", "[1]", "[edit]", "[[1]2]", "[citation needed]", "x [7] y.", "\u4f60\u597d\u3002", "na\u00efve", "(e.g. this)", "3.5", "end.",
]  # fmt: skip
TEXTS = st.lists(
    st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)), max_size=5
)
RULES = C4(min_words_per_line=0, terminal_punctuation=False).line_rules()


def counted(texts, *, known):
    [part] = buffers(pa.array(texts, pa.large_string()))
    remembered(part if known else next(iter(buffers(pa.array(["other"], pa.large_string())))))
    return line_sentences(part, kept_lines(part, RULES)).tolist()


@given(TEXTS.filter(bool))
def test_the_tokens_at_hand_give_the_same_sentences(texts):
    assert counted(texts, known=True) == counted(texts, known=False)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("He left. She stayed.\nNobody [1] came. [2]", [2, 1]),
        ("[edit]\nIt rained.", [0, 1]),
        ("One.\n\nTwo. Three.", [1, 0, 2]),
    ],
)
def test_each_line_has_its_own_count(text, sentences):
    assert counted([text], known=True) == sentences == counted([text], known=False)
