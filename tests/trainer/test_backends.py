"""unsloth and peft compute the same losses, and unsloth's packed loss is its unpacked one.

In processes of its own: unsloth patches transformers, trl and peft at import, and this one has loaded them already.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from trainer import sft

REPO = Path(__file__).resolve().parents[2]
needs_unsloth = pytest.mark.skipif(find_spec("unsloth") is None, reason="unsloth is not installed")

RUNS = """
import json, sys
from pathlib import Path
from trainer import sft
recipe, text, found = Path(sys.argv[1]), Path(sys.argv[1]).read_text(), {}
for lines in sys.argv[3:]:
    recipe.write_text(text + lines + "\\n")
    run = sft.train(recipe, root=sys.argv[2], quiet=True)
    found[lines] = run.metrics().to_pylist()
    found["backend"] = run.record.backend
    found["patched"] = "unsloth" in sys.modules
print(json.dumps(found))
"""


FOUR = "max_steps = 4\n"
PACKED, UNPACKED = FOUR + "packing = true", FOUR + "packing = false"
WHOLE_PACKED, WHOLE_UNPACKED = (
    f'optimizer = "gd"\nmax_steps = 2\npacking = {packing}' for packing in ("true", "false")
)
VARIANTS = (
    PACKED,
    UNPACKED,
    FOUR
    + 'lora = { r = 4, alpha = 8, rank_stabilized = true, targets = ["q_proj", "down_proj"] }\nneftune_alpha = 5',
    FOUR + 'precision = "bfloat16"',
    FOUR + "lora = { r = 4, dora = true }\ngradient_checkpointing = true",
)


def in_a_process(recipe: Path, root: Path, backend: str, *variants: str) -> dict:
    """Metrics of one run a variant of the recipe; stdout must hold nothing but them."""
    text = recipe.read_text()
    recipe.write_text(text.replace('backend = "peft"', f'backend = "{backend}"'))
    path = os.pathsep.join([str(REPO), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", RUNS, recipe, root, *variants],
        cwd=root,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    recipe.write_text(text)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def losses(rows: list[dict]) -> list[float]:
    return [row["loss"] for row in rows]


@pytest.fixture(scope="module")
def theirs(make_version, tmp_path_factory) -> tuple[Path, Path, dict]:
    """Root, recipe, and what `auto` made of every variant, in one process: importing unsloth costs more than all of them."""
    root, recipe = make_version(tmp_path_factory.mktemp("auto"), "eval_every = 2\n")
    return root, recipe, in_a_process(recipe, root, "auto", *VARIANTS, WHOLE_PACKED, WHOLE_UNPACKED)


@pytest.mark.slow
@needs_unsloth
def test_unsloth_and_peft_give_the_same_losses(theirs):
    root, recipe, found = theirs
    assert found["backend"] == "unsloth"
    text = recipe.read_text()
    for lines in VARIANTS:
        recipe.write_text(f"{text}{lines}\n")
        ours = sft.train(recipe, root=root, quiet=True).metrics().to_pylist()
        assert [(row["kind"], row["step"], row["tokens"]) for row in ours] == [
            (row["kind"], row["step"], row["tokens"]) for row in found[lines]
        ]
        assert losses(ours) == pytest.approx(losses(found[lines]), abs=1e-3)
    recipe.write_text(text)
    assert not list(root.glob("*unsloth*")), "unsloth wrote its compiled cache into the working directory"


@pytest.mark.slow
@needs_unsloth
def test_packed_and_unpacked_loss_agree_on_unsloth(theirs):
    found = theirs[2]
    assert losses(found[WHOLE_PACKED]) == pytest.approx(losses(found[WHOLE_UNPACKED]), abs=1e-5)


@pytest.mark.slow
def test_peft_leaves_unsloth_alone(made):
    root, recipe = made("")
    assert in_a_process(recipe, root, "peft", "max_steps = 1")["patched"] is False


NETWORK = """
import json, sys
asked = []
def watch(event, args):
    if event in {"socket.getaddrinfo", "socket.gethostbyname"} or (event == "socket.connect" and isinstance(args[1], tuple)):
        asked.append(f"{event} {args}")
sys.addaudithook(watch)
import trainer
run = trainer.train(sys.argv[1], root=sys.argv[2], quiet=True)
run.evaluate()
run.chat("Who", max_new_tokens=3)
print(json.dumps(asked))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["peft", pytest.param("unsloth", marks=needs_unsloth)])
def test_training_evaluating_and_asking_touch_no_network(made, backend):
    """Without the variables by which the other tests turn the model hub's client off."""
    root, recipe = made("max_steps = 2\neval_every = 1")
    recipe.write_text(recipe.read_text().replace('backend = "peft"', f'backend = "{backend}"'))
    off = ("HF_", "DO_NOT_TRACK", "UNSLOTH_")
    path = os.pathsep.join([str(REPO), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", NETWORK, recipe, root],
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith(off)}
        | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
