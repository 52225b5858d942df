"""TRL's SFTTrainer as its documentation shows it, with PEFT or with Unsloth's loader. In: see bench/parts/train.py. Out: train_clock.figures."""

import contextlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
config = json.load(sys.stdin)
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

with contextlib.redirect_stdout(sys.stderr):
    if config["unsloth"]:
        from unsloth import FastLanguageModel  # before the others, which it patches
    import datasets
    import torch
    import train_clock
    import transformers
    import trl

    texts = [
        json.loads(line)["text"] for line in Path(config["texts"]).read_text(encoding="utf-8").splitlines()
    ]
    lora = {"r": config["r"], "lora_alpha": config["alpha"], "lora_dropout": 0.0, "target_modules": LINEAR}
    if config["unsloth"]:
        model, tokenizer = FastLanguageModel.from_pretrained(
            config["model"], max_seq_length=config["max_length"], dtype=torch.float32, load_in_4bit=False
        )
        model = FastLanguageModel.get_peft_model(model, use_gradient_checkpointing=False, **lora)
        peft_config = None
    else:
        import peft

        model = transformers.AutoModelForCausalLM.from_pretrained(config["model"], dtype=torch.float32)
        tokenizer = transformers.AutoTokenizer.from_pretrained(config["model"])
        peft_config = peft.LoraConfig(task_type="CAUSAL_LM", **lora)
    clock, ends = train_clock.callback()
    arguments = trl.SFTConfig(
        output_dir=config["out"] + "/checkpoints",
        per_device_train_batch_size=config["micro"],
        gradient_accumulation_steps=config["batch"] // config["micro"],
        max_steps=config["steps"],
        learning_rate=config["learning_rate"],
        lr_scheduler_type="constant",
        max_length=config["max_length"],
        packing=False,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=7,
    )
    trainer = trl.SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=datasets.Dataset.from_dict({"text": texts}),
        processing_class=tokenizer,
        peft_config=peft_config,
        callbacks=[clock],
    )
    trainer.train()
    trainer.model.save_pretrained(config["out"] + "/adapter", save_embedding_layers=False)
print(json.dumps(train_clock.figures(ends)))
