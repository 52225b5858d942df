"""PDF files: text and what the file states of itself; a file that is broken, locked or deadly costs itself only."""

import json

import pytest
from hypothesis import given, strategies as st

from plugins.contracts import Part, Place
from plugins.scrapers import pdf
from plugins.scrapers.pdf import Pdf
from plugins.scrapers.pdf_child import joined
from schemas.errors import SourceError

LOCK = (
    b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -44 /O <"
    + b"28" * 32
    + b"> /U <"
    + b"28" * 32
    + b"> >> /ID [<00> <00>]"
)


def make(pages, info=b"", trailer=b""):
    """A PDF file (ISO 32000-1) of pages that are lists of lines."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, lines in enumerate(pages):
        drawn = b" ".join(b"(%s) Tj T*" % line for line in lines)
        stream = b"BT /F1 12 Tf 72 720 Td 14 TL %s ET" % drawn
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
            % (5 + 2 * n),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        ]
    objects.append(b"<< %s >>" % info)
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    end = b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
        + end % (count, count - 1, trailer, len(out))
    )


def gather(base, **options):
    scraper, place = Pdf(**{"path": "*.pdf", **options}), Place(base, base / ".work")
    parts = json.loads(json.dumps([part.where for part in scraper.parts(place)]))
    return {page.locator: page for where in parts for page in scraper.fetch(place, Part(where))}


def test_a_file_is_a_page_of_text_with_what_it_states_of_itself(tmp_path):
    info = b"/Title (T\\351st \\(2\\)) /Author (Ann) /CreationDate (D:20200102030405+01'00')"
    (tmp_path / "a.pdf").write_bytes(make([[b"First line", b"second \\(2\\)"], [b"Page two"]], info))
    page = gather(tmp_path, license_value="CC0")["a.pdf"]
    assert page.content.decode() == "First line\nsecond (2)\n\nPage two"
    assert page.content_type == "text/plain; charset=utf-8"
    assert (page.title, page.author, page.license) == ("Tést (2)", "Ann", "CC0")
    assert page.metadata == {"pages": 2, "created": "2020-01-02"}


def test_what_gives_no_text_says_why_and_the_rest_is_read(tmp_path):
    whole = make([[b"text"]])
    for name, content in {
        "broken.pdf": b"%PDF-1.4\nnothing of the kind",
        "cut.pdf": whole[:200],
        "empty.pdf": b"",
        "locked.pdf": make([[b"secret"]], trailer=LOCK),
        "scan.pdf": make([[], []]),
        "whole.pdf": whole,
    }.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "gone.pdf").symlink_to(tmp_path / "nowhere")
    found = gather(tmp_path)
    assert {name: page.error for name, page in found.items()} == {
        "broken.pdf": "malformed",
        "cut.pdf": "malformed",
        "empty.pdf": "malformed",
        "gone.pdf": "unreadable",
        "locked.pdf": "encrypted",
        "scan.pdf": "no-text",
        "whole.pdf": None,
    }
    assert found["scan.pdf"].metadata == {"pages": 2, "pages_without_text": 2}


def test_a_page_without_text_among_others_is_counted(tmp_path):
    (tmp_path / "a.pdf").write_bytes(make([[b"one"], [], [b"three"]]))
    page = gather(tmp_path)["a.pdf"]
    assert page.content == b"one\n\nthree"
    assert page.metadata["pages_without_text"] == 1


DEADLY = """
import os, signal, sys
sys.path[:0] = {path!r}
from plugins.scrapers import pdf_child as pdf
read = pdf.read_file
def deadly(path):
    if "dies" in path:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "spins" in path:
        while True: pass
    if "raises" in path:
        raise KeyError("odd")
    return read(path)
pdf.read_file = deadly
pdf.serve()
"""


def test_a_file_that_kills_or_stalls_the_child_costs_itself_only(tmp_path, monkeypatch):
    for name in ("a.pdf", "b-dies.pdf", "c-raises.pdf", "d-spins.pdf", "e.pdf"):
        (tmp_path / name).write_bytes(make([[b"text"]]))
    begin = pdf.subprocess.Popen

    def start(call, **options):
        return begin([*call[:3], DEADLY.format(path=[])], **options)

    monkeypatch.setattr(pdf.subprocess, "Popen", start)
    monkeypatch.setattr(pdf, "RETRY_FACTOR", 1)
    found = gather(tmp_path, cpu_seconds=1)
    assert [page.error for page in found.values()] == [None, "crashed", "malformed", "timeout", None]
    assert "SIGSEGV" in found["b-dies.pdf"].detail


def test_a_batch_is_known_by_its_content_and_a_new_file_disturbs_its_own_batch_only(tmp_path):
    for n in range(150):
        (tmp_path / f"{n:03}.pdf").write_bytes(make([[b"%d" % n]]))
    before = {part.digest for part in Pdf(path="*.pdf").parts(Place(tmp_path, tmp_path))}
    (tmp_path / "075a.pdf").write_bytes(make([[b"new"]]))
    after = {part.digest for part in Pdf(path="*.pdf").parts(Place(tmp_path, tmp_path))}
    assert None not in after
    assert len(before) > 3
    assert len(before - after) == 1


def test_a_file_rewritten_after_it_was_listed_is_not_taken_for_what_it_was(tmp_path):
    (tmp_path / "a.pdf").write_bytes(make([[b"old"]]))
    place = Place(tmp_path, tmp_path)
    (part,) = Pdf(path="a.pdf").parts(place)
    (tmp_path / "a.pdf").write_bytes(make([[b"new"]]))
    with pytest.raises(SourceError, match="was rewritten while it was read"):
        list(Pdf(path="a.pdf").fetch(place, part))


def test_a_glob_without_files_says_so(tmp_path):
    with pytest.raises(SourceError, match=r"no file matches"):
        gather(tmp_path)


@pytest.mark.parametrize(
    ("pages", "text"),
    [
        (["exam\x02ple"], "example"),
        (["exam-\r\nple"], "example"),
        (["a well\x02known man", "well-known"], "a well-known man\n\nwell-known"),
        (["a well\x02known man", "all is well", "known"], "a well-known man\n\nall is well\n\nknown"),
        (["the key\x02board", "key board keyboard"], "the keyboard\n\nkey board keyboard"),
        (["Anglo-\nSaxon, pages 3-\n4"], "Anglo-\nSaxon, pages 3-\n4"),
        (["3\x024"], "3-4"),
        (["a -\nb"], "a -\nb"),
    ],
)
def test_a_cut_word_is_joined_only_as_the_rest_of_the_file_writes_it(pages, text):
    assert joined(pages) == text


@given(st.lists(st.text(st.sampled_from("abB1 -\r\n\x02\ufffe\0"), max_size=30), max_size=4))
def test_joining_loses_no_letter_and_leaves_no_mark(pages):
    made = joined(pages)
    assert [c for c in made if c.isalnum()] == [c for page in pages for c in page if c.isalnum()]
    assert not set(made) & set("\x02\ufffe\0\r")


def test_real_hyphenated_lines_come_out_whole(tmp_path):
    (tmp_path / "a.pdf").write_bytes(make([[b"This is an exam-", b"ple of hyphen-", b"ation."]]))
    assert gather(tmp_path)["a.pdf"].content == b"This is an example of hyphenation."
