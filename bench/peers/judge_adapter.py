"""The loss of an adapter, and of its base, on texts: one measure for everybody's. In: model, adapter, texts. Out: loss, base_loss, seconds."""

import contextlib
import json
import sys
import time
from pathlib import Path

config = json.load(sys.stdin)
with contextlib.redirect_stdout(sys.stderr):
    import peft
    import torch
    import transformers

    from trainer.evaluation.measure import measure
    from trainer.steps.packing import Collator

    tokenizer = transformers.AutoTokenizer.from_pretrained(config["model"])
    base = transformers.AutoModelForCausalLM.from_pretrained(config["model"], dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(base, config["adapter"])
    rows = []
    for line in Path(config["texts"]).read_text(encoding="utf-8").splitlines():
        ids = [*tokenizer(json.loads(line)["text"])["input_ids"], tokenizer.eos_token_id]
        rows.append({"input_ids": ids, "labels": ids})
    start = time.perf_counter()
    tuned = measure(model, rows, Collator(0), batch_size=4)
    with model.disable_adapter():
        before = measure(model, rows, Collator(0), batch_size=4)
print(json.dumps({"loss": tuned.loss, "base_loss": before.loss, "seconds": time.perf_counter() - start}))
