"""Answers: plain continuation, the same twice, the base beside the adapter."""

import pytest
from tiny_model import TEXTS
from tokenizers import Tokenizer

import trainer
from schemas.errors import NotFound, UserError
from trainer.generate import Speaker

SENTENCE = TEXTS[0]
START = " ".join(SENTENCE.split()[:6])


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_version):
    """A run that knows one sentence by heart."""
    train = 'max_steps = 150\neval_every = 150\nschedule = "constant"\nearly_stopping = false\nwarmup = 0.1'
    root, recipe = make_version(tmp_path_factory.mktemp("root"), train, train_texts=[SENTENCE] * 4)
    return trainer.train(recipe, root=root)


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
