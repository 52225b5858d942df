"""Content encodings undone within bounds."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given, strategies as st

from plugins.web.bodies import MAX_MEMBERS, BodyError, decoded

MIB = 1 << 20
REPO = Path(__file__).resolve().parents[3]


def bare(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=4),
    "zstd": zstandard.compress,
    "identity": bytes,
}
WORDS = [bytes(random.Random(n).choices(b"abcdefghij", k=n % 9 + 1)) for n in range(2000)]
PAGE = b" ".join(random.Random(7).choices(WORDS, k=40_000))


@pytest.mark.parametrize("name", ENCODERS)
def test_a_page_comes_out_as_it_went_in(name):
    assert decoded(ENCODERS[name](PAGE), name) == PAGE
    assert decoded(ENCODERS[name](b""), name) == b""


@given(st.binary(max_size=2000), st.lists(st.sampled_from(list(ENCODERS)), max_size=3))
def test_encodings_are_undone_in_reverse(data, names):
    names = [name for i, name in enumerate(names) if name != "br" or "br" not in names[:i]]
    body = data
    for name in names:
        body = ENCODERS[name](body)
    assert decoded(body, ", ".join(names).upper()) == data


def test_bare_deflate_is_told_from_zlib():
    assert decoded(bare(PAGE), "deflate") == PAGE
    assert decoded(zlib.compress(PAGE, 1), "deflate") == PAGE


@pytest.mark.parametrize(
    "encoding", [None, "", "identity", "none", "UTF-8", " , ,", "identity,identity,identity,identity"]
)
def test_what_encodes_nothing_leaves_the_body_alone(encoding):
    assert decoded(b"\x1f\x8bas it is", encoding) == b"\x1f\x8bas it is"


def test_an_empty_body_needs_no_encoding():
    assert decoded(b"", "gzip, br") == b""


@pytest.mark.parametrize(
    ("name", "size"), [("gzip", 1000), ("gzip", 16384), ("zstd", 1000), ("zstd", 100_000)]
)
def test_streams_one_after_another_are_one_body(name, size):
    pieces = [PAGE[i : i + size] for i in range(0, len(PAGE), size)]
    assert decoded(b"".join(map(ENCODERS[name], pieces)), name) == PAGE


def test_a_skippable_frame_is_skipped():
    skippable = b"\x5f\x2a\x4d\x18\x03\x00\x00\x00abc"
    assert decoded(skippable + zstandard.compress(PAGE) + skippable, "zstd") == PAGE


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("rest", [b"\n", b"\0" * 512, b"<!-- served in 3 ms -->"])
def test_what_follows_the_end_and_is_no_stream_is_ignored(name, rest):
    assert decoded(ENCODERS[name](PAGE) + rest, name) == PAGE


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_stream_cut_anywhere_is_an_encoding_error(name):
    whole = ENCODERS[name](PAGE[:400])
    for end in range(1, len(whole)):
        with pytest.raises(BodyError) as error:
            decoded(whole[:end], name)
        assert error.value.reason == "encoding"
    cut = bare(PAGE)[:-1]
    with pytest.raises(BodyError, match="encoding"):
        decoded(cut, "deflate")


def test_a_second_stream_cut_is_an_encoding_error():
    for name in ("gzip", "zstd"):
        with pytest.raises(BodyError, match="encoding"):
            decoded(ENCODERS[name](PAGE) + ENCODERS[name](PAGE)[:-3], name)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_plain_text_under_a_false_name_is_an_encoding_error(name):
    for body in (b"<html>plain</html>" * 100, b"\0" * 40, b"\xff" * 40):
        with pytest.raises(BodyError) as error:
            decoded(body, name)
        assert error.value.reason == "encoding"


@given(st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br"]), st.binary(min_size=1, max_size=300))
def test_noise_gives_bytes_or_a_body_error(name, noise):
    try:
        assert isinstance(decoded(noise, name), bytes)
    except BodyError:
        pass


@given(st.sampled_from(["gzip", "zstd"]), st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_stream_never_gives_other_text(name, at, flip):
    """gzip has a CRC; for Zstandard the writer is asked for a checksum."""
    packed = bytearray(
        gzip.compress(PAGE[:3000], mtime=0)
        if name == "gzip"
        else zstandard.ZstdCompressor(write_checksum=True).compress(PAGE[:3000])
    )
    at = 10 + at % (len(packed) - 10) if name == "gzip" else 6 + at % (len(packed) - 6)
    packed[at] ^= flip
    try:
        assert decoded(bytes(packed), name) == PAGE[:3000]
    except BodyError:
        pass


@pytest.mark.parametrize(
    "encoding", ["compress", "gzip, lzma", "bzip2", "gzip;q=1", "gzip, gzip, gzip, gzip"]
)
def test_unknown_and_too_many_encodings_are_refused(encoding):
    with pytest.raises(BodyError) as error:
        decoded(b"x", encoding)
    assert error.value.reason == "encoding"


def test_ten_thousand_empty_streams_are_enough():
    body = gzip.compress(b"") * (MAX_MEMBERS + 2)
    with pytest.raises(BodyError) as error:
        decoded(body, "gzip")
    assert error.value.reason == "encoding"


# ------------------------------------------------------------------------------------------------ bombs


def test_a_large_page_comes_out_whole():
    large = random.Random(3).randbytes(9 * MIB)
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    bodies = {
        "gzip": gzip.compress(large, 1),
        "deflate": zlib.compress(large, 1),
        "br": brotli.compress(large, quality=0),
        "zstd": packer.compress(large) + packer.flush(),
    }
    for name, body in bodies.items():
        assert decoded(body, name, limit=len(large)) == large


def test_a_zstandard_window_larger_than_a_browser_takes_is_refused():
    """RFC 9659: 8 MiB."""
    for log, reason in ((23, "bomb"), (24, "encoding"), (31, "encoding")):
        with pytest.raises(BodyError) as error:
            decoded(zstd_runs(400, log=log), "zstd")
        assert error.value.reason == reason


def test_the_limit_is_met_exactly():
    for name in ("gzip", "deflate", "br", "zstd"):
        body = ENCODERS[name](PAGE)
        assert decoded(body, name, limit=len(PAGE)) == PAGE
        with pytest.raises(BodyError) as error:
            decoded(body, name, limit=len(PAGE) - 1)
        assert error.value.reason == "bomb"
    with pytest.raises(BodyError, match="bomb"):
        decoded(PAGE, None, limit=len(PAGE) - 1)


def test_a_ratio_is_a_bomb_only_above_a_mebibyte():
    blanks = b" " * MIB
    assert decoded(brotli.compress(blanks), "br") == blanks
    with pytest.raises(BodyError) as error:
        decoded(brotli.compress(blanks + b" "), "br")
    assert error.value.reason == "bomb"
    assert len(decoded(brotli.compress(blanks * 4), "br", ratio=10**6)) == 4 * MIB


def test_what_lies_between_two_encodings_counts_too():
    inner = gzip.compress(b"small") + b"\0" * (
        3 * MIB
    )  # decodes to "small", since zeros that follow are ignored
    assert decoded(inner, "gzip") == b"small"
    with pytest.raises(BodyError) as error:
        decoded(gzip.compress(b"\0" * (3 * MIB)), "identity, gzip", limit=2 * MIB, ratio=10**6)
    assert error.value.reason == "bomb"


def streamed(packer, mebibytes):
    block = bytes(MIB)
    feed = getattr(packer, "compress", None) or packer.process
    return b"".join([
        *(feed(block) for _ in range(mebibytes)),
        (getattr(packer, "finish", None) or packer.flush)(),
    ])


def zstd_runs(blocks, size=1 << 17, log=23):
    """A frame of runs with a window of 8 MiB: 3 bytes say 128 KiB (RFC 8878 3.1.1.2)."""
    header = b"\x28\xb5\x2f\xfd" + bytes((0, (log - 10) << 3))
    run = lambda last: (size << 3 | 1 << 1 | last).to_bytes(3, "little") + b" "  # noqa: E731
    return header + run(0) * (blocks - 1) + run(1)


@pytest.fixture(scope="module")
def bombs():
    plain = {
        "gzip": streamed(zlib.compressobj(1, wbits=31), 160),
        "deflate": streamed(zlib.compressobj(1), 160),
        "br": streamed(brotli.Compressor(quality=1, lgwin=24), 160),
        "zstd": zstd_runs(8000),
    }
    return plain | {
        "gzip, gzip": gzip.compress(plain["gzip"]),
        "br, zstd": zstandard.compress(plain["br"]),
        "br, gzip": gzip.compress(plain["br"]),
        "zstd, zstd": zstandard.compress(plain["zstd"]),
        "zstd, gzip, br": brotli.compress(gzip.compress(plain["zstd"]), quality=3),
        "deflate, zstd, gzip": gzip.compress(zstandard.compress(plain["deflate"])),
    }


CHILD = """
import sys
from pathlib import Path
from plugins.web.bodies import BodyError, decoded
body = Path(sys.argv[1]).read_bytes()
try:
    decoded(body, sys.argv[2], ratio=10**9)
except BodyError as error:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(error.reason, status["VmHWM"].split()[0])
"""


def test_bombs_of_a_hundred_mebibytes_and_more_cost_less_than_64(bombs, tmp_path):
    """Peak resident memory (of this program alone, which `ru_maxrss` is not: it begins with its parent's) of a process that does nothing else, the interpreter and 32 MiB of limit included, the ratio switched off."""
    for name, body in bombs.items():
        path = tmp_path / "bomb"
        path.write_bytes(body)
        ran = subprocess.run(
            [sys.executable, "-c", CHILD, str(path), name],
            cwd=REPO, env={"PYTHONPATH": str(REPO)}, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        reason, peak_kib = ran.stdout.split()
        print(name, len(body), int(peak_kib) >> 10)
        assert reason == "bomb", name
        assert int(peak_kib) < 64 << 10, f"{name}: {int(peak_kib) >> 10} MiB"


def test_by_default_a_bomb_ends_at_its_ratio(bombs):
    for name, body in bombs.items():
        with pytest.raises(BodyError) as error:
            decoded(body, name)
        assert error.value.reason == "bomb"
