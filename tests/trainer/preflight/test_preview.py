"""Rows are shown as the model reads them, trained tokens set apart, and nothing in them commands a terminal."""

import pytest

from trainer.data import read_rows
from trainer.preflight import preview
from trainer.preflight.preview import previews, visible


def shown(made, tiny_model, text, trained=slice(0, None), **more):
    """The preview of one row of a text."""
    from schemas.store import Store

    def edit(rows):
        labels = rows["train"][0]["labels"]
        keep = set(range(*trained.indices(len(labels))))
        rows["train"][0]["labels"] = [label if n in keep else -100 for n, label in enumerate(labels)]

    root, _ = made(train_texts=[text], edit=edit, **more)
    (found,) = previews(read_rows(Store(root).version("tale"), "train"), tiny_model)
    return found


def test_a_row_reads_as_its_text_and_trained_tokens_stand_between_marks(made, tiny_model):
    found = shown(made, tiny_model, "She draws her blade.\nSlowly.", slice(4, None))
    assert "".join(run.text for run in found.runs) == "She draws her blade.\nSlowly.<|end|>"
    assert [run.trained for run in found.runs] == [False, True]
    head, *text = found.lines(colour=False)
    assert f"{found.tokens - 4} of {found.tokens} tokens trained" in head
    whole = "\n".join(text)
    assert whole.endswith("<|end|>⟧")
    assert "⏎\n" in whole
    assert "\x1b[32m" in "\n".join(found.lines(colour=True))
    assert "⟦" not in "\n".join(found.lines(colour=True))


def test_a_long_row_loses_its_middle_and_says_how_much(made, tiny_model, monkeypatch):
    monkeypatch.setattr(preview, "SHOWN", 30)
    text = " ".join(f"word{n}" for n in range(40))
    found = shown(made, tiny_model, text[:170])
    whole = "\n".join(found.lines(colour=False))
    assert f"[…{found.tokens - 30} tokens…]" in whole
    assert whole.index("ord0") < whole.index("tokens…") < whole.index("<|end|>")


def test_a_letter_of_several_tokens_is_whole(made, tiny_model):
    assert "dragon 龍 🐉" in "".join(run.text for run in shown(made, tiny_model, "a dragon 龍 🐉").runs)


@pytest.mark.parametrize(
    "letter", ["\x1b[2J", "\x07", "\x9b31m", "\u202e", "\u200b", "\r", "\x00", "\u2028", "\x7f"], ids=ascii
)
def test_what_a_terminal_would_obey_or_hide_is_written_out(letter):
    found = visible(f"a{letter}b")
    assert letter[0] not in found
    assert found.isprintable()


def test_no_color_and_a_file_get_marks(monkeypatch):
    import sys

    class Terminal:
        def isatty(self):
            return True

    assert not preview.colours()
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert preview.colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not preview.colours()
