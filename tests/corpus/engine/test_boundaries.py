"""An inserted row moves the cuts next to it and no others."""

import hashlib

from hypothesis import given, strategies as st

from corpus.engine.boundaries import LARGEST, pieces

sizes = st.lists(st.integers(0, 3000), max_size=300)


def rows(widths: list[int]) -> list[tuple[str, int]]:
    return [(hashlib.sha256(str(n).encode()).hexdigest()[:32], width) for n, width in enumerate(widths)]


@given(sizes)
def test_pieces_cover_every_row_once_and_in_order(widths: list[int]) -> None:
    cut = list(pieces(rows(widths), 2000))
    assert [n for start, stop in cut for n in range(start, stop)] == list(range(len(widths)))
    assert all(stop > start for start, stop in cut)


@given(sizes)
def test_no_piece_outgrows_the_bound_by_more_than_its_last_row(widths: list[int]) -> None:
    for start, stop in pieces(rows(widths), 2000):
        assert sum(widths[start : stop - 1]) < LARGEST * 2000


def test_an_inserted_row_leaves_most_pieces_as_they_were() -> None:
    before = rows([500] * 4000)
    after = [*before[:2000], ("0" * 32, 500), *before[2000:]]
    old = {tuple(before[start:stop]) for start, stop in pieces(before, 20_000)}
    new = [tuple(after[start:stop]) for start, stop in pieces(after, 20_000)]
    assert sum(piece not in old for piece in new) <= 3
