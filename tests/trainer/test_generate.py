"""Answers: plain continuation, the same twice, the base beside the adapter."""

import json

import pytest
import typer
from tiny_model import TEXTS
from tokenizers import Tokenizer
from typer.testing import CliRunner

import trainer
from schemas.errors import NotFound, UserError
from trainer.generate import Speaker
from trainer.speaking.answering import Job, answer_file
from trainer.speaking.question import Question
from trainer.speaking.sampling import Sampling

SENTENCE = TEXTS[0]
START = " ".join(SENTENCE.split()[:6])


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_version):
    """A run that knows one sentence by heart."""
    train = 'max_steps = 150\neval_every = 150\nschedule = "constant"\nearly_stopping = false\nwarmup = 0.1'
    root, recipe = make_version(tmp_path_factory.mktemp("root"), train, train_texts=[SENTENCE] * 4)
    return trainer.train(recipe, root=root)


@pytest.fixture(scope="module")
def speaker(run):
    """It, loaded."""
    return Speaker.open(run, device="cpu")


def test_the_tuned_model_goes_on_with_what_it_learned_and_stops_at_its_end(run):
    assert START + run.chat(START) == SENTENCE


def test_the_base_answers_otherwise_and_the_adapter_is_back_afterwards(run):
    tuned = run.chat(START, max_new_tokens=12)
    assert run.chat(START, max_new_tokens=12, base=True) != tuned
    assert run.chat(START, max_new_tokens=12) == tuned


def test_draws_repeat_with_their_seed_and_change_with_it(run):
    speaker = Speaker.open(run, device="cpu")
    draw = [
        speaker.answer("Who", base=True, temperature=1.0, seed=seed, max_new_tokens=20) for seed in (1, 1, 2)
    ]
    assert draw[0] == draw[1] != draw[2]


def test_a_repetition_penalty_makes_repeats_rarer(run, tiny_model):
    tokenizer = Tokenizer.from_file(str(tiny_model / "tokenizer.json"))

    def distinct(penalty: float) -> int:
        answer = run.chat("the the the", base=True, max_new_tokens=40, repetition_penalty=penalty)
        return len(set(tokenizer.encode(answer).ids))

    assert distinct(2.0) > distinct(1.0)


def test_an_empty_prompt_is_refused(run):
    with pytest.raises(UserError, match="the prompt is empty"):
        run.chat("")


def test_an_adapter_speaks_where_its_corpus_is_not(run, tmp_path):
    import shutil

    shutil.copytree(run.path, tmp_path / "runs/tale/1")
    assert trainer.open("tale", root=tmp_path).chat("Who", max_new_tokens=3)
    with pytest.raises(NotFound, match='no corpus named "tale"'):
        trainer.open("tale", root=tmp_path).evaluate()


PROMPTS = ["Who", START, "The dragon and", "She draws her blade slowly because nobody", "a", "Who"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 1.5, "seed": 3},
        {"temperature": 1.0, "top_k": 40, "min_p": 0.02, "repetition_penalty": 1.3},
    ],
    ids=["likeliest", "drawn", "filtered and penalised"],
)
def test_answers_are_the_same_alone_and_in_batches_of_any_size(speaker, options):
    def answers(size):
        return list(speaker.generate(PROMPTS, base=True, batch_size=size, max_new_tokens=12, **options))

    alone = [speaker.answer(prompt, base=True, max_new_tokens=12, **options) for prompt in PROMPTS]
    assert answers(1) == answers(4) == answers(16)
    assert answers(4)[:-1] == alone[:-1]
    assert (answers(4)[-1] == alone[-1]) == (not options), "a prompt that comes again draws anew"


def test_memory_that_ends_halves_the_batch_and_changes_no_answer(speaker, monkeypatch, capsys):
    import torch

    from trainer import generate

    whole, sizes = list(speaker.generate(PROMPTS, max_new_tokens=4)), []
    real = generate.decode

    def small(model, tokenizer, prompts, *args, **more):
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, tokenizer, prompts, *args, **more)

    monkeypatch.setattr(generate, "decode", small)
    assert list(speaker.generate(PROMPTS, max_new_tokens=4)) == whole
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1]
    assert "answering 1 at a time" in capsys.readouterr().err


def test_a_stop_mark_ends_an_answer_and_is_no_part_of_it_and_pieces_make_the_answer(speaker):
    whole, mark = speaker.answer(START), SENTENCE.split()[9]
    pieces = []
    cut = speaker.answer(START, stop=(mark, "never said"), on_text=pieces.append)
    assert cut == whole[: whole.index(mark)]
    assert "".join(pieces) == cut
    assert len(pieces) > 2
    assert next(speaker.generate([START, "Who"], stop=(mark,))) == cut


def test_a_prompt_too_long_for_the_model_is_refused_before_anything_is_answered(speaker):
    with pytest.raises(UserError, match=r"prompt 2: the prompt has [\d,]+ tokens .* reads 512 at most"):
        next(speaker.generate(["Who", "the rain " * 400]))


def test_a_file_of_answers_broken_off_is_gone_on_with_to_the_same_bytes(speaker, tmp_path):
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    answer_file(job(speaker), whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    part = tmp_path / "broken.jsonl.part"
    part.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    assert answer_file(job(speaker), broken) == 3
    assert broken.read_bytes() == whole.read_bytes()
    assert not part.exists()
    rows = [json.loads(line) for line in lines]
    assert [row["prompt"] for row in rows] == PROMPTS
    assert rows[1]["base"] != rows[1]["answer"]
    assert answer_file(job(speaker), whole) == len(PROMPTS), "nothing is left to do"


def test_answers_that_are_not_these_are_not_overwritten(speaker, tmp_path):
    out = tmp_path / "out.jsonl"
    answer_file(job(speaker), out)
    before = out.read_bytes()
    with pytest.raises(
        UserError, match="holds answers to other prompts, or of another model or other options"
    ):
        answer_file(job(speaker, temperature=0.5), out)
    assert out.read_bytes() == before
    out.rename(tmp_path / "next.jsonl.part")
    with pytest.raises(UserError, match=r"next.jsonl.part holds the beginning of answers to other prompts"):
        answer_file(job(speaker, seed=9), tmp_path / "next.jsonl")


def test_the_command_writes_json_lines_to_stdout_or_to_a_file(run, tmp_path):
    from trainer.commands.generate import generate

    app = typer.Typer()
    app.command()(generate)
    (tmp_path / "p.txt").write_text(f"{START}\nWho\n")
    root = str(run.path.parents[2])
    call = [run.spec, str(tmp_path / "p.txt"), "--root", root]
    told = CliRunner().invoke(app, call, catch_exceptions=False).stdout.splitlines()
    assert START + json.loads(told[0])["answer"] == SENTENCE
    to_file = CliRunner().invoke(
        app, [*call, "--out", str(tmp_path / "o.jsonl"), "--json"], catch_exceptions=False
    )
    assert json.loads(to_file.stdout)["answers"] == 2
    assert (tmp_path / "o.jsonl").read_text().splitlines() == told


def test_a_model_trained_whole_speaks_and_so_does_its_base(make_version, tmp_path, tiny_model):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    root, recipe = make_version(
        tmp_path, 'method = "full"\nmax_steps = 3\neval_every = 3\nearly_stopping = false'
    )
    found = Speaker.open(trainer.train(recipe, root=root, quiet=True), device="cpu")
    tuned, base = (
        list(found.generate([START, "Who"], base=base, max_new_tokens=6)) for base in (False, True)
    )
    assert tuned != base
    plain, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tiny_model),
        AutoTokenizer.from_pretrained(tiny_model),
    )
    ids = tokenizer(START, return_tensors="pt")
    wanted = plain.generate(**ids, max_new_tokens=6, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert base[0] == tokenizer.decode(wanted, skip_special_tokens=True)


def job(speaker, **options):
    """The prompts, answered with a draw."""

    sampling = Sampling(**{"max_new_tokens": 5, "temperature": 1.0, **options})
    return Job(speaker, "model", [Question(prompt) for prompt in PROMPTS], sampling, base=True, batch_size=2)


def test_a_folder_for_the_answers_is_refused_with_a_file_in_it(speaker, tmp_path):
    with pytest.raises(UserError, match="answers.jsonl"):
        answer_file(Job(speaker, "", [Question(START)], Sampling(max_new_tokens=1)), tmp_path)


def test_half_a_character_is_refused_with_the_line_it_stands_in(speaker):
    with pytest.raises(UserError, match=r"prompt 2: .*no character.*UTF-8"):
        list(speaker.generate([START, "caf\udce9"], max_new_tokens=1))
