"""Bytes of a page to text: which encoding they are in, and whether they are text at all.

For HTML the order is the one browsers follow (WHATWG HTML, section 13.2.3.2, "Determining the character encoding"): a byte-order
mark, the charset of the transport, `<meta charset>` in the first 1,024 bytes. Labels mean what the WHATWG Encoding Standard says
they mean, so that "latin1" is windows-1252. Two things differ from a browser, since nobody looks at the result: a stated encoding that
the bytes contradict more than once in a thousand characters is not believed, and where nothing is stated, valid UTF-8 is UTF-8.
Only then is the encoding guessed, by two detectors that are right about different languages (see `guess`).
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

PRESCAN_BYTES = 1024
"""Where a browser looks for `<meta charset>` before it parses."""
LATE_META_BYTES = 65_536
"""How far a late `<meta charset>` is looked for where the bytes are not UTF-8 (a browser changes its mind while parsing)."""
SAMPLE_BYTES = 65_536
"""How much of the bytes the checks and detectors see."""
TOLERATED = 1000
"""One undecodable sequence in so many characters does not refute a stated encoding."""
CONTROL_SHARE = 0.01
"""More control characters than this and the bytes are no text."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta[^>]*?charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']+)[\"']")
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)
# Codecs of Python's that are text escapes, not encodings of documents; UTF-7 hides markup from filters.
_NO_CHARSETS = frozenset({
    "idna",
    "punycode",
    "undefined",
    "unicode_escape",
    "unicode-escape",
    "raw_unicode_escape",
    "raw-unicode-escape",
    "utf-7",
})
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\f\r\x1b")

# First bytes of what is not text, in file(1)'s terms; each at least so odd that no text begins with it.
_MAGIC = {
    b"\x89PNG\r\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    b"%PDF-": "a PDF document",
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"\x1f\x8b\x08": "a gzip stream",
    b"\x28\xb5\x2f\xfd": "a Zstandard stream",
    b"\xfd7zXZ\x00": "an xz stream",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x7fELF": "an ELF program",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an OLE document",
    b"SQLite format 3\x00": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"OggS\x00": "an Ogg stream",
    b"wOFF\x00": "a font",
    b"wOF2\x00": "a font",
}


class NotText(ValueError):
    """The bytes are no text: fate `binary`."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, and the Python codec that read it."""

    text: str
    encoding: str


def decode(data: bytes, content_type: str | None, *, html: bool, override: str | None = None) -> Decoded:
    """Decode a page; undecodable sequences become U+FFFD.

    `content_type` is the transport's, with or without `charset=`; `override` goes before everything but a byte-order mark.
    Raises NotText for binary data, LookupError for an `override` that is no encoding.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return Decoded(_read(data[len(bom) :], name), name)
    if override is not None:
        return Decoded(_read(data, codec_of(override, strict=True)), codec_of(override, strict=True))
    if what := next((what for magic, what in _MAGIC.items() if data.startswith(magic)), None):
        raise NotText(f"the bytes are {what}, not text")
    if wide := _unmarked_utf16(data):
        return Decoded(_read(data, wide), wide)
    _refuse_binary(data)
    for stated in (_transport(content_type), meta_charset(data[:PRESCAN_BYTES]) if html else ""):
        if stated and (decoded := _believe(data, stated)):
            return decoded
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    if html and (late := meta_charset(data[:LATE_META_BYTES])) and (decoded := _believe(data, late)):
        return decoded
    name = guess(data)
    return Decoded(_read(data, name), name)


def codec_of(label: str, *, strict: bool = False) -> str:
    """The Python codec an encoding label means on the web, else in Python; "" (or LookupError, if `strict`) for none.

    >>> codec_of("latin1"), codec_of("Shift_JIS"), codec_of("cp437"), codec_of("bogus")
    ('cp1252', 'cp932', 'cp437', '')
    """
    from resiliparse.parse.encoding import map_encoding_to_html5

    label = {"x-mac-cyrillic": "mac_cyrillic", "x-mac-ukrainian": "mac_cyrillic"}.get(
        label.strip().lower(), label.strip().lower()
    )
    # Python's shift_jis, euc_kr and big5 lack the extensions that the WHATWG indexes of these names have.
    wider = {
        "shift_jis": "cp932",
        "euc_kr": "cp949",
        "euc-kr": "cp949",
        "big5": "big5hkscs",
        "gbk": "gb18030",
        "gb2312": "gb18030",
    }
    try:
        name = map_encoding_to_html5(label, fallback_utf8=False) or codecs.lookup(label).name
        name = wider.get(name, name)
        if name in _NO_CHARSETS:
            raise LookupError(name)
        b"a".decode(name, "replace")  # refuses codecs that make bytes of bytes, such as "hex"
    except (LookupError, ValueError):
        if strict:
            raise LookupError(f'"{label}" is not an encoding') from None
        return ""
    return name


def meta_charset(head: bytes) -> str:
    """The encoding label an HTML or XML head states, comments aside; "" for none.

    >>> meta_charset(
    ...     b"<!-- <meta charset=koi8-r> --><meta http-equiv=Content-Type content='text/html; charset=big5'>"
    ... )
    'big5'
    """
    head = _COMMENT.sub(b"", head)
    found = _META.search(head) or _XML.search(head)
    label = found[1].decode("ascii", "replace").lower() if found else ""
    # Whatever could be read as ASCII this far is not UTF-16 (WHATWG HTML, "prescan a byte stream", step 15).
    return "utf-8" if label.startswith("utf-16") else "windows-1252" if label == "x-user-defined" else label


def guess(data: bytes) -> str:
    """The likeliest codec of bytes that state none and are not UTF-8.

    uchardet knows Western European text best, charset-normalizer Korean, Ukrainian and Central European (tried on the Universal
    Declaration of Human Rights in 18 legacy encodings): so windows-1252 is taken from the first, all else from the second.
    """
    from charset_normalizer import from_bytes
    from resiliparse.parse.encoding import detect_encoding

    sample = data[:SAMPLE_BYTES]
    if sample.isascii():
        sample = _first_high(data)
    western = codec_of(detect_encoding(sample) or "")
    if western == "cp1252":
        return western
    best = from_bytes(sample).best()
    return (codec_of(best.encoding) if best else "") or western or "cp1252"


def _first_high(data: bytes) -> bytes:
    """A sample that begins shortly before the first byte that is not ASCII."""
    start = re.search(rb"[\x80-\xff]", data)
    begin = max(0, start.start() - SAMPLE_BYTES // 2) if start else 0
    return data[begin : begin + SAMPLE_BYTES]


def _transport(content_type: str | None) -> str:
    found = _CHARSET.search(content_type or "")
    return found[1] if found else ""


def _believe(data: bytes, label: str) -> Decoded | None:
    """The text as the label says, unless it is unknown or the bytes refute it."""
    name = codec_of(label)
    if not name:
        return None
    text = _read(data, name)
    return Decoded(text, name) if text.count("\ufffd") * TOLERATED <= max(len(text), TOLERATED) else None


def _read(data: bytes, name: str) -> str:
    """Decode, never failing; bytes a single-byte Windows code page leaves open are C1 controls, as the web has it."""
    errors = "gristmill-c1" if name.startswith("cp125") else "replace"
    return data.decode(name, errors).removeprefix("\ufeff")


def _open_bytes(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(map(chr, error.object[error.start : error.end])), error.end


codecs.register_error("gristmill-c1", _open_bytes)


def _unmarked_utf16(data: bytes) -> str:
    """The codec of UTF-16 without a byte-order mark: every second byte of mostly ASCII text is zero."""
    sample = data[:SAMPLE_BYTES]
    half = len(sample) // 2
    if half < 4:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and odd < 0.05 * half else ""


def _refuse_binary(data: bytes) -> None:
    sample = data[:SAMPLE_BYTES]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls > CONTROL_SHARE * len(sample):
        raise NotText(f"{controls} of the first {len(sample)} bytes are control characters: this is no text")
