"""Ctrl-C and SIGTERM: noted once, obeyed at once the second time."""

import signal
import threading

import pytest

from trainer.watching.interrupt import listening


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_is_noted_and_said(number, code):
    said = []
    before = signal.getsignal(number)
    with listening(said.append) as interrupt:
        assert interrupt.signal is None
        signal.raise_signal(number)
        assert (interrupt.signal, interrupt.exit_code) == (number, code)
    assert len(said) == 1
    assert "the run ends after this step" in said[0]
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_raises_at_once():
    with listening(lambda line: None):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_sigterm_goes_to_who_listened_before(monkeypatch):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with listening(lambda line: None):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_beside_the_main_thread_nothing_is_touched():
    seen = []

    def work():
        with listening(lambda line: None) as interrupt:
            seen.append(interrupt.signal)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_was_to_be_ignored_still_is():
    """As nohup and a shell's background jobs have it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with listening(lambda line: None) as interrupt:
            signal.raise_signal(signal.SIGINT)
            assert interrupt.signal is None
    finally:
        signal.signal(signal.SIGINT, before)
