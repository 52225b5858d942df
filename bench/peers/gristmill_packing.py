"""gristmill's own training on short documents, packed or not. In: see bench/parts/packing.py. Out: useful tokens, places and processor
seconds of the steps after the first.

A useful token is one of a document; a place is what the model computes: in each pass its rows times the longest of them.
"""

import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

RECIPE = """
name = "bench-packing"
[[source]]
use = "files"
path = "rows.jsonl"
text = "text"
[dedup]
fuzzy = false
exact = false
[split]
val = 0.1
test = 0
[tokens]
model = "{model}"
max_tokens = {longest}
[train]
backend = "peft"
packing = {packing}
max_length = {max_length}
batch_size = {batch}
micro_batch_size = {micro}
max_steps = {steps}
precision = "float32"
eval_every = {steps}
early_stopping = false
"""


def make_model(folder, texts, shape):
    """A Llama with random weights and a vocabulary made of the texts: small, so that the places and not the words are what costs."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=2000, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "pad_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    set_seed(7)
    LlamaForCausalLM(
        LlamaConfig(**shape, vocab_size=2000, eos_token_id=0, bos_token_id=None)
    ).save_pretrained(folder)


def make_rows(words, config):
    """Runs of words, their number drawn from a log-normal distribution."""
    draw, at = random.Random(7), 0
    for _ in range(config["documents"]):
        number = max(4, min(config["most_words"], round(draw.lognormvariate(config["mu"], config["sigma"]))))
        yield " ".join(words[at : at + number])
        at += number


def places(rows, order, config):
    """What a run's steps compute and what of it is useful: (places, tokens) of the steps after the first."""
    found = [0, 0]
    for start in range(config["batch"], config["batch"] * config["steps"], config["batch"]):
        step = order[start : start + config["batch"]]
        for at in range(0, len(step), config["micro"]):
            lengths = [len(rows[int(row)]["input_ids"]) for row in step[at : at + config["micro"]]]
            found[0] += len(lengths) * max(lengths)
            found[1] += sum(lengths)
    return found


config = json.load(sys.stdin)
home = Path(config["home"])
recipe = home / f"packing-{config['packing']}.toml"
recipe.write_text(RECIPE.format(**config))
with contextlib.redirect_stdout(sys.stderr):
    words = Path(config["text"]).read_text(encoding="utf-8").split()
    texts = list(make_rows(words, config))
    if not Path(config["model"]).exists():
        make_model(Path(config["model"]), texts, config["shape"])
        (home / "rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        build = "import sys, corpus; corpus.build(sys.argv[1], root=sys.argv[2], quiet=True)"
        subprocess.run([sys.executable, "-c", build, str(recipe), str(home)], check=True)
    import numpy as np

    import trainer
    from trainer.plan import make_plan
    from trainer.steps.batches import order
    from trainer.watching.watch import Watch

    ends, on_log = [], Watch.on_log

    def clocked(self, args, state, control, logs=None, **more):
        ends.append(time.process_time())  # before an evaluation, which comes in it
        on_log(self, args, state, control, logs=logs, **more)

    Watch.on_log = clocked
    run = trainer.train(recipe, root=home, device="cpu")
    plan = make_plan(recipe, root=home, device="cpu", version=None)
    rows, lengths = plan.datasets["train"], plan.rows["train"].lengths
    computed, useful = places(rows, order(len(rows), plan.train.seed, 0), config)
    before = next(row["loss"] for row in run.metrics().to_pylist() if row["kind"] == "val")
quantiles = [int(number) for number in np.quantile(lengths, [0, 0.1, 0.5, 0.9, 1])]
print(
    json.dumps({
        "seconds": ends[config["steps"] - 1] - ends[0],
        "places": computed,
        "useful": useful,
        "rows": len(rows),
        "documents": len(lengths),
        "lengths": quantiles,
        "mean_length": float(lengths.mean()),
        "base_loss": before,
    })
)
