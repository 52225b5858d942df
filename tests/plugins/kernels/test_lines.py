import pyarrow as pa
import pytest

from plugins.kernels.buffers import buffers
from plugins.kernels.lines import WORD_COUNTS, word_quality
from plugins.kernels.tokens import tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the cat", 1),
        ("the\0 cat", 0),
        ("the\0\0\0\0\0 cat", 0),
        ("the the\0 be", 2),
        ("a\0 cat", 1),
        ("\0 cat", 0),
    ],
)
def test_a_stop_word_is_found_exactly_as_written_where_words_hold_nul(text: str, found: int) -> None:
    (part,) = buffers(pa.array([text]))
    counts = word_quality(part, tokens(part), ["the", "be", "a\0"])
    assert counts[0, WORD_COUNTS.index("stop_words")] == found
