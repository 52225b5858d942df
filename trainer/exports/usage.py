"""The lines that start an exported model, for its card."""

from __future__ import annotations

from trainer.record import RunRecord


def use(record: RunRecord, base: str, to: str, within: str = "") -> str:
    """Markdown: code to load and ask it; `within` is where the model lies below the folder of the card."""
    folder = f"path/to/this/folder{within}"
    chat = record.tokenizer.format != "text"
    if to in {"gguf", "ollama"}:
        name = record.run.partition("/")[0]
        ollama = f"ollama create {name} -f Modelfile\nollama run {name}\n" if to == "ollama" else ""
        talk = "--jinja -cnv" if chat else '-no-cnv -p "Once upon a time"'
        return f'```sh\n{ollama}llama-cli -m model.gguf {talk}\n```\n\nIn Python, transformers reads the file too: `AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf")`.'
    if to == "adapter" and record.train.get("method", "lora") == "lora":
        load = (
            "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f'base = "{base}"\ntokenizer = AutoTokenizer.from_pretrained(base)\n'
            f'model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), "{folder}")\n'
        )
        note = (
            "\n\nIts chat template is the run's, in `gristmill.json`; `gristmill chat` speaks it, and so does a merged export."
            if chat
            else ""
        )
    else:
        load = (
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f'folder = "{folder}"\ntokenizer = AutoTokenizer.from_pretrained(folder)\n'
            "model = AutoModelForCausalLM.from_pretrained(folder)\n"
        )
        note = ""
    ask = (
        'ids = tokenizer.apply_chat_template([{"role": "user", "content": "Hello!"}], add_generation_prompt=True, return_tensors="pt", return_dict=True)\n'
        if chat
        else 'ids = tokenizer("Once upon a time", add_special_tokens=False, return_tensors="pt")\n'
    )
    return f"```python\n{load}{ask}print(tokenizer.decode(model.generate(**ids, max_new_tokens=100)[0]))\n```{note}"
