"""When the gap ends a run. What the backend trains is seen in a run of gristmill's own tests."""

from gristmill_lantern import Gap


def test_a_gap_that_is_too_wide_ends_the_run() -> None:
    gap = Gap(most=0.5)
    assert gap.evaluate({"step": 0, "loss": 9.0}) is None
    gap.step({"step": 1, "loss": 2.0})
    gap.step({"step": 2, "loss": 1.0})
    assert gap.evaluate({"step": 2, "loss": 1.9}) is None
    gap.step({"step": 3, "loss": 1.0})
    assert "0.90 nats above train at step 3" in (gap.evaluate({"step": 3, "loss": 1.9}) or "")
