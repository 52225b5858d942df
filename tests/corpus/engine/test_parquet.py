"""Equal rows give equal bytes, and a flipped bit is noticed."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from corpus.engine.parquet import read_rows, read_table, runs, write_stream, write_table
from schemas.errors import Corruption

TABLE = pa.table({
    "id": [f"row-{n}" for n in range(2000)],
    "text": ["some words here " * (n % 7) for n in range(2000)],
})


@pytest.mark.parametrize("batch", [1, 7, 500, 2000])
def test_bytes_do_not_depend_on_record_batches(tmp_path: Path, batch: int) -> None:
    write_table(TABLE, tmp_path / "whole.parquet")
    write_table(pa.Table.from_batches(TABLE.to_batches(max_chunksize=batch)), tmp_path / "cut.parquet")
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "cut.parquet").read_bytes()


def test_a_flipped_byte_in_a_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(TABLE, path)
    data = path.read_bytes()
    footer = (
        len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    )  # has no checksum: `verify` hashes whole files
    for place in range(4, footer, max(1, footer // 60)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            table = read_table(path)
        except (Corruption, OSError, ValueError, pa.ArrowException):
            continue
        assert table.equals(TABLE), f"byte {place} changed the table silently"


def test_nothing_is_left_behind_where_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        write_table(None, tmp_path / "t.parquet")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4)), max_size=20))
def test_rows_come_back_in_the_order_asked_for(wanted: list[tuple[str, int]]) -> None:
    folder = Path("/tmp/gristmill-rows")
    folder.mkdir(exist_ok=True)
    for name in "ab":
        if not (folder / name).exists():
            write_table(pa.table({"id": [f"{name}{n}" for n in range(5)]}), folder / name)
    refs = runs([str(folder / name) for name, _ in wanted], [n for _, n in wanted])
    if wanted:
        assert read_rows(refs)["id"].to_pylist() == [f"{name}{n}" for name, n in wanted]


@given(
    st.lists(st.integers(0, 7), min_size=1, max_size=6), st.lists(st.integers(0, 99), min_size=1, max_size=12)
)
def test_a_stream_is_read_back_row_by_row_whatever_its_row_groups(
    sizes: list[int], wanted: list[int]
) -> None:
    folder = Path("/tmp/gristmill-rows")
    folder.mkdir(exist_ok=True)
    total = sum(sizes)
    tables = [
        pa.table({"n": pa.array(range(sum(sizes[:k]), sum(sizes[: k + 1])), pa.int64())})
        for k in range(len(sizes))
    ]
    write_stream(iter(tables), folder / "stream")
    assert read_table(folder / "stream")["n"].to_pylist() == list(range(total))
    if total:
        rows = [n % total for n in wanted]
        assert read_rows([(str(folder / "stream"), rows)])["n"].to_pylist() == rows


def test_a_damaged_row_is_noticed_where_only_some_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_stream(iter([TABLE.slice(0, 1000), TABLE.slice(1000)]), path)
    data = bytearray(path.read_bytes())
    data[60] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(Corruption, match="delete it and build again"):
        read_rows([(str(path), [0])])
    with pytest.raises(FileNotFoundError):
        read_rows([(str(tmp_path / "gone.parquet"), [0])])


def test_a_stream_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[pa.Table]:
        yield TABLE
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_stream(failing(), tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []
