"""gristmill's own training, as `gristmill train` runs it on a corpus that is built before. In: see bench/parts/train.py. Out: train_clock.figures.

The clock is a callback plugin in a file that the recipe names: what anybody would write.
"""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

CLOCK = """
import json, sys, time
from pathlib import Path
from pydantic import PrivateAttr
from plugins.contracts import Callback

class Clock(Callback):
    name = "clock"
    scripts: str
    into: str
    _ends: list = PrivateAttr(default_factory=list)

    def step(self, row):
        sys.path.insert(0, self.scripts)
        from train_clock import since_start
        self._ends.append((since_start(), time.perf_counter()))

    def end(self, run):
        Path(self.into).write_text(json.dumps(self._ends))
"""

RECIPE = """
name = "bench-train"
plugins = ["./clock.py"]
[[source]]
use = "files"
path = "rows.jsonl"
text = "text"
[dedup]
fuzzy = false
exact = false
[split]
val = 0.05
test = 0
[tokens]
model = "{model}"
max_tokens = {max_length}
[train]
backend = "{backend}"
batch_size = {batch}
micro_batch_size = {micro}
max_steps = {steps}
learning_rate = {learning_rate}
schedule = "constant"
warmup = 0
packing = false
precision = "float32"
eval_every = {steps}
early_stopping = false
lora = {{ r = {r}, alpha = {alpha} }}
seed = 7
callback = [{{ use = "clock", scripts = "{scripts}", into = "{ends}" }}]
"""

config = json.load(sys.stdin)
out = Path(config["out"])
out.mkdir(parents=True, exist_ok=True)
scripts, ends, recipe = Path(__file__).resolve().parent, out / "ends.json", out / "recipe.toml"
(out / "clock.py").write_text(CLOCK)
shutil.copyfile(config["texts"], out / "rows.jsonl")
recipe.write_text(RECIPE.format(**config, scripts=scripts, ends=ends))
with contextlib.redirect_stdout(sys.stderr):
    # In a process of its own: neither its imports nor its time belong to training.
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, corpus; corpus.build(sys.argv[1], root=sys.argv[2], quiet=True)",
            str(recipe),
            str(out),
        ],
        check=True,
    )
    import train_clock

    built = train_clock.since_start()
    import trainer

    run = trainer.train(recipe, root=out)
    shutil.rmtree(out / "adapter", ignore_errors=True)
    shutil.copytree(run.adapter, out / "adapter")
figures = train_clock.figures(json.loads(ends.read_text()))
print(json.dumps({**figures, "first_step": figures["first_step"] - built}))
