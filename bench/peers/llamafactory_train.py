"""LLaMA-Factory's pre-training stage, one text a row as the others have them. In: see bench/parts/train.py. Out: train_clock.figures."""

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
config = json.load(sys.stdin)
shutil.rmtree(config["out"], ignore_errors=True)  # it writes into no folder that is not empty
data = Path(config["out"]) / "data"
data.mkdir(parents=True, exist_ok=True)
(data / "rows.jsonl").write_bytes(Path(config["texts"]).read_bytes())
(data / "dataset_info.json").write_text(
    json.dumps({"rows": {"file_name": "rows.jsonl", "columns": {"prompt": "text"}}})
)
with contextlib.redirect_stdout(sys.stderr):
    import train_clock
    from llamafactory.train.tuner import run_exp

    clock, ends = train_clock.callback()
    run_exp(
        {
            "stage": "pt",
            "do_train": True,
            "model_name_or_path": config["model"],
            "dataset_dir": str(data),
            "dataset": "rows",
            "template": "empty",
            "packing": False,
            "cutoff_len": config["max_length"],
            "finetuning_type": "lora",
            "lora_target": "all",
            "lora_rank": config["r"],
            "lora_alpha": config["alpha"],
            "lora_dropout": 0.0,
            "output_dir": config["out"] + "/adapter",
            "per_device_train_batch_size": config["micro"],
            "gradient_accumulation_steps": config["batch"] // config["micro"],
            "max_steps": config["steps"],
            "learning_rate": config["learning_rate"],
            "lr_scheduler_type": "constant",
            "logging_steps": 1,
            "save_strategy": "no",
            "disable_gradient_checkpointing": True,
            "use_cpu": True,
            "report_to": "none",
            "overwrite_cache": True,
            "seed": 7,
        },
        callbacks=[clock],
    )
print(json.dumps(train_clock.figures(ends)))
