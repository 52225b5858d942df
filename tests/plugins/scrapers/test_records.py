import io
import json

import pytest
from hypothesis import given, strategies as st

from plugins.scrapers import records
from plugins.scrapers.records import csv_header, csv_rows, json_array, json_lines, line_ranges


def lines(data, **bounds):
    return list(json_lines(io.BytesIO(data), "utf-8", **bounds))


def test_each_line_is_a_row_with_its_number_and_offset():
    found = lines(b'{"a":1}\n\n  \n{"a":"\xc3\xa9"}\r\n{"a":3}')
    assert [(row.number, row.offset, row.cells) for row in found] == [
        (0, 0, {"a": 1}),
        (3, 12, {"a": "é"}),
        (4, 24, {"a": 3}),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "line 1: "),
        (b"[1]", "line 1 is a list"),
        (b'{"a": "\xff"}', "line 1: 'utf-8'"),
        (b"[" * 100_000, "line 1: "),
        (b'"x"', "is a str"),
        (b"1" * 5000, "line 1"),
    ],
)
def test_a_line_that_is_no_object_costs_itself(line, says):
    broken, whole = lines(line + b'\n{"a":1}\n')
    assert (broken.error, broken.cells) == ("malformed", None)
    assert says in broken.detail
    assert whole.cells == {"a": 1}


def test_a_line_that_is_too_long_is_passed_over(monkeypatch):
    monkeypatch.setattr(records, "MAX_PAGE_BYTES", 20)
    first, second = lines(b'{"a":"' + b"x" * 600_000 + b'"}\n{"a":1}\n')
    assert first.error == "too-large"
    assert (second.offset, second.cells) == (600_009, {"a": 1})


@given(
    st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=40),
    st.integers(1, 200),
    st.booleans(),
)
def test_ranges_cover_the_file_at_line_ends_and_number_their_lines(parts, target, ends):
    data = b"\n".join(parts) + (b"\n" if ends and parts else b"")
    found = list(line_ranges(io.BytesIO(data), target))
    assert b"".join(data[start:stop] for start, stop, _, _ in found) == data
    for start, stop, first, _ in found:
        assert start == 0 or data[start - 1 : start] == b"\n"
        assert first == data[:start].count(b"\n")
        assert stop == len(data) or stop - start >= target


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=3), st.none() | st.text() | st.floats(allow_nan=False) | st.lists(st.integers())
        ),
        max_size=8,
    ),
    st.integers(1, 9),
)
def test_arrays_come_back_whatever_the_size_of_a_read(rows, block):
    class Small(io.StringIO):
        def read(self, size=-1):
            return super().read(block)

    found = list(json_array(Small(json.dumps(rows, indent=1))))
    assert [row.cells for row in found] == rows
    assert [row.number for row in found] == list(range(len(rows)))


def test_a_file_with_one_object_is_one_row():
    assert [row.cells for row in json_array(io.StringIO(' {"a": 1}\n'))] == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [('[{"a":1}, oops, {"a":2}]', 1), ('[{"a":1}', 1), ('[{"a":1},{"a"', 1), ("", 0), ("oops", 0)],
)
def test_what_follows_a_broken_value_is_one_malformed_row(text, rows):
    *whole, last = json_array(io.StringIO(text))
    assert (len(whole), last.error) == (rows, "malformed")


def test_no_json_test_file_crashes_a_reader(shared_data):
    paths = sorted((shared_data / "hostile/JSONTestSuite/test_parsing").glob("*.json"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        for row in [*json_array(io.StringIO(data.decode("utf-8", "replace"))), *lines(data)]:
            assert (row.cells is None) == (row.error is not None)
        if path.name.startswith("y_") and data.lstrip().startswith(b"{"):
            assert next(json_array(io.StringIO(data.decode()))).cells == json.loads(data)


def table(text, wanted=()):
    _, delimiter = csv_header(io.StringIO(text, newline=""), wanted)
    return list(csv_rows(io.StringIO(text, newline=""), delimiter))


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_the_delimiter_is_the_one_that_shows_the_columns(delimiter):
    (row,) = table(delimiter.join(["id", "text"]) + "\n" + delimiter.join(["1", "one"]) + "\n", ["text"])
    assert row.cells == {"id": "1", "text": "one"}


def test_short_rows_are_filled_long_ones_refused():
    found = table("a,b\n1\n1,2\n1,2,,\n1,2,3\n\n4,5\n")
    assert [row.cells for row in found] == [
        {"a": "1", "b": None},
        {"a": "1", "b": "2"},
        {"a": "1", "b": "2"},
        None,
        {"a": "4", "b": "5"},
    ]
    assert found[3].detail == "line 5 has 3 fields, the header 2"


def test_a_quote_that_never_closes_is_told():
    found = table('a,b\n1,"two\nlines"\n2,"open\n3,x\n4,y\n')
    assert [row.error for row in found] == [None, "malformed"]
    assert found[1].detail == "line 4: a quote is opened and never closed"


@given(st.text(alphabet='ab,;"\n\r\t\0 é'))
def test_no_quoting_crashes(text):
    for row in table(text):
        assert (row.cells is None) == (row.error is not None)


def test_the_csv_spectrum_reads_as_its_json(shared_data):
    folder = shared_data / "hostile/csv-spectrum"
    # location_coordinates.json has another telephone number than its CSV file.
    paths = [path for path in sorted((folder / "csvs").glob("*.csv")) if path.stem != "location_coordinates"]
    assert paths
    for path in paths:
        wanted = json.loads((folder / "json" / path.with_suffix(".json").name).read_text("utf-8"))
        wanted = wanted if isinstance(wanted, list) else [wanted]
        found = [row.cells for row in table(path.read_bytes().decode("utf-8-sig"))]
        # Whether a line end inside a field is LF or CRLF the two folders do not agree on.
        assert [{key: value.replace("\r\n", "\n") for key, value in row.items()} for row in found] == [
            {key: value.replace("\r\n", "\n") for key, value in row.items()} for row in wanted
        ], path.name
