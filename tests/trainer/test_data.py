"""Rows and the preflight: every token counted, nothing cut, nothing trained by accident."""

import pytest
from hypothesis import given, strategies as st

from schemas.errors import Corruption, Mismatch, UserError
from trainer import sft
from trainer.data import MASKED


def mask_row(split: str, row: int, keep: slice = slice(0, 0)):
    """An edit that masks a row's labels but those of `keep`."""

    def edit(rows):
        labels = rows[split][row]["labels"]
        rows[split][row]["labels"] = [
            label if n in range(*keep.indices(len(labels))) else MASKED for n, label in enumerate(labels)
        ]

    return edit


@pytest.mark.parametrize(
    "keep", [slice(0, 0), slice(0, 1)], ids=["all labels masked", "only the first, which nothing predicts"]
)
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_row_with_nothing_to_learn_is_refused_by_name(made, split, keep):
    named = []

    def edit(rows):
        mask_row(split, 3, keep)(rows)
        named.append(rows[split][3]["chunk_id"])

    root, recipe = made(edit=edit)
    with pytest.raises(UserError, match=f"doc-{split}-3 of tale@1 has nothing to learn") as caught:
        sft.train(recipe, root=root, dry_run=True)
    assert f"chunk {named[0]} of document" in str(caught.value)


def test_a_row_longer_than_max_length_is_refused_not_cut(made):
    root, recipe = made("max_length = 40")
    with pytest.raises(
        UserError,
        match=r"chunk \w+ of document doc-train-\d+ .*has \d+ tokens.*Set \[train\] max_length = \d+",
    ):
        sft.train(recipe, root=root, dry_run=True)


def test_a_row_of_one_token_is_left_out_and_counted(made):
    def edit(rows):
        rows["train"][0] |= {"input_ids": [5], "labels": [5]}

    root, recipe = made(edit=edit)
    report = sft.train(recipe, root=root, dry_run=True).splits["train"]
    assert (report.rows, report.too_short) == (23, 1)


def test_a_damaged_or_missing_file_of_chunks_is_corruption_and_not_a_smaller_training_set(made):
    root, recipe = made()
    (file,) = (root / "corpora/tale/v1/chunks").glob("train-*")
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)
    with pytest.raises(Corruption, match="split train, cannot be read.*gristmill verify tale@1"):
        sft.train(recipe, root=root, dry_run=True)
    file.unlink()
    with pytest.raises(
        Corruption, match="holds 0 rows of split train, but 24 were published.*gristmill verify tale@1"
    ):
        sft.train(recipe, root=root, dry_run=True)


def test_an_empty_val_split_says_what_to_set(made):
    root, recipe = made(val_texts=())
    with pytest.raises(
        UserError, match=r"val split of tale@1 is empty.*\[split\] val = 0.1.*early_stopping = false"
    ):
        sft.train(recipe, root=root, dry_run=True)


@pytest.mark.parametrize("rule", ["early_stopping = false", 'early_stopping = { metric = "train_loss" }'])
def test_an_empty_val_split_is_no_fault_where_nobody_watches_it(made, rule):
    root, recipe = made(rule, val_texts=())
    assert sft.train(recipe, root=root, dry_run=True).splits["val"].rows == 0


def test_an_empty_train_split_is_refused(made):
    root, recipe = made(train_texts=())
    with pytest.raises(UserError, match="the train split of tale@1 has no rows"):
        sft.train(recipe, root=root, dry_run=True)


def test_another_tokenizer_than_the_corpus_was_cut_with_is_refused(made, tmp_path):
    from tiny_model import TEXTS, make_tiny_model

    other = make_tiny_model(tmp_path / "other", [text.upper() for text in TEXTS])
    root, recipe = made(f'model = "{other}"')
    with pytest.raises(
        Mismatch, match=r"was cut with the tokenizer of tiny .*its token numbers would mean other words"
    ):
        sft.train(recipe, root=root, dry_run=True)


def test_a_version_of_other_sections_is_refused_naming_them(made):
    root, recipe = made()
    recipe.write_text(recipe.read_text().replace("[tokens]", "[split]\nval = 0.3\n[tokens]"))
    with pytest.raises(Mismatch, match=r"split.val was 0.05, is 0.3.*gristmill build recipe.toml"):
        sft.train(recipe, root=root, dry_run=True)


def test_the_train_section_may_change_without_a_new_corpus(made):
    root, recipe = made()
    recipe.write_text(recipe.read_text() + "epochs = 9\n")
    assert sft.train(recipe, root=root, dry_run=True).steps > 9


def test_a_dry_run_leaves_nothing_behind(made):
    root, recipe = made()
    sft.train(recipe, root=root, dry_run=True)
    assert not (root / "runs").exists()


@given(
    masks=st.lists(st.lists(st.booleans(), min_size=2, max_size=40), min_size=1, max_size=20),
    length=st.integers(40, 90),
)
def test_packing_loses_and_adds_no_trained_token(masks, length):
    import pyarrow as pa

    from trainer.data import Rows
    from trainer.steps import packing

    ids = [list(range(n * 100, n * 100 + len(mask))) for n, mask in enumerate(masks)]
    labels = [
        [MASKED, *(i if keep else MASKED for i, keep in zip(row[1:], mask[1:], strict=True))]
        for row, mask in zip(ids, masks, strict=True)
    ]
    lists = pa.list_(pa.int32())
    rows = Rows(pa.table({"input_ids": pa.array(ids, lists), "labels": pa.array(labels, lists)}))
    packed = packing.dataset(rows, length, packing=True)
    parts = [part for row in packed for part in packing.parts(row)]
    assert sorted((tuple(p["input_ids"]), tuple(p["labels"])) for p in parts) == sorted(
        (tuple(i), tuple(x)) for i, x in zip(ids, labels, strict=True)
    )
    assert all(len(row["input_ids"]) == sum(row["seq_lengths"]) <= length for row in packed)


def test_the_preflight_counts_add_up(made):
    root, recipe = made("epochs = 2\nwarmup = 0.5", edit=mask_row("train", 0, slice(2, 9)))
    plan = sft.train(recipe, root=root, dry_run=True)
    train = plan.splits["train"]
    assert train.tokens == train.trained + train.masked
    assert train.masked > train.rows  # each row's first token, and what the edit masked
    assert train.packed_rows < train.rows
    assert plan.steps == 2 * plan.steps_per_epoch
    assert plan.warmup_steps * 2 == plan.steps
    assert train.efficiency == pytest.approx(train.tokens / (train.packed_rows * 128))
