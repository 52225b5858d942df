"""What the sample threads say, and what is taken off them."""

from pathlib import Path

from gristmill_hearth import Hearth, HearthSignatures

THREADS = Path(__file__).resolve().parent.parent / "sample" / "threads"


def test_a_thread_is_who_said_what() -> None:
    found = Hearth(path="*.html").parse((THREADS / "fog-2.html").read_text(encoding="utf-8"))
    assert [post.partition(":")[0] for post in (found.text or "").split("\n\n")] == ["Ada", "Cy"]
    assert "Log in" not in (found.text or "")


def test_signatures_go_and_what_is_too_long_for_one_stays() -> None:
    text = "I agree.\n--\nBo of the Hill\n\nSo do I."
    assert HearthSignatures().clean(text)[0].start == 9
    assert HearthSignatures(lines=0).clean(text) == []
