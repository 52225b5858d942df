"""Cuts and the options of [tokens] in whole builds."""

from __future__ import annotations

from pathlib import Path

import pytest
from builds import RECIPE, build_here, html, parquet_hashes, prose, write_recipe, write_site
from handmade import contents, write_version
from tokenizers import Tokenizer

from corpus.commands.summary import build_summary
from corpus.pipeline import Build
from corpus.query import query
from corpus.versions import verify
from plugins.models import tokenizer_path
from plugins.registry import load_recipe
from schemas.errors import RecipeError
from schemas.recipe import Tokens
from schemas.tables import CUTS

ACCOUNT = """
select c.doc_id, sum(c.n_tokens) - coalesce(any_value(t.repeated), 0) + coalesce(any_value(t.lost), 0) as tokens
from chunks c left join (select doc_id, sum(n_repeated) repeated, sum(n_lost) lost from cuts group by all) t using (doc_id)
group by all order by all
"""


def moved(base: Path, tokenizer: Path, options: str) -> Path:
    return write_recipe(base, tokenizer, RECIPE + options)


def test_every_border_of_a_build_is_in_cuts(built: Build) -> None:
    borders = query(
        built.version, "select doc_id, position - 1 as position from chunks where position > 0 order by all"
    )
    cuts = query(built.version, "select doc_id, position from cuts order by all")
    assert borders.height > 10
    assert borders.rows() == cuts.rows()
    assert query(built.version, "select sum(n_lost) + sum(n_repeated) from cuts").item() == 0
    assert {"paragraph", "sentence"} <= set(query(built.version, "select level from cuts")["level"])


def test_a_moved_option_reruns_tokenize_alone_and_accounts_for_every_token(
    tmp_path: Path, tokenizer: Path
) -> None:
    write_site(tmp_path / "site")
    first = build_here(write_recipe(tmp_path, tokenizer))
    lines = 'overlap = 16\nmin_tokens = 24\nheader = ["title", "url"]\n'
    second = build_here(moved(tmp_path, tokenizer, lines))
    assert second.performed["tokenize"] > 0
    assert not any(
        second.performed[name]
        for name in ("extract", "clean", "annotate", "sign")
        if name in second.performed
    )
    assert query(first.version, ACCOUNT).rows() == query(second.version, ACCOUNT).rows()
    assert verify(second.version) == []
    assert query(second.version, "select max(n_tokens) from chunks").item() <= 128
    repeated = query(
        second.version, "select count(*) from cuts where position >= 0 and n_repeated = 0"
    ).item()
    assert repeated == 0
    titled = query(
        second.version,
        "select input_ids from chunks join documents using (doc_id) where title = 'Tale 3'",
    )["input_ids"]
    decode = Tokenizer.from_file(str(tokenizer_path(tokenizer))).decode
    assert titled.len() > 1
    assert all(decode(ids.to_list()).startswith("Title: Tale 3\n\n") for ids in titled)


def test_a_title_that_changed_is_seen_in_the_header_though_the_text_is_the_same(
    tmp_path: Path, tokenizer: Path
) -> None:
    write_site(tmp_path / "site")
    recipe = moved(tmp_path, tokenizer, 'header = ["title"]\n')
    build_here(recipe)
    (tmp_path / "site" / "page-003.html").write_text(
        html(prose(3), "Tale 3").replace("<title>Tale 3<", "<title>Night 3<")
    )
    again = build_here(recipe)
    whole = build_here(recipe, tmp_path / "elsewhere")
    assert query(again.version, "select count(*) from documents where title = 'Night 3'").item() == 1
    assert parquet_hashes(again.version.path) == parquet_hashes(whole.version.path)


def test_a_document_below_min_tokens_has_a_fate(tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "site")
    (tmp_path / "site" / "brief.txt").write_text(prose(77, 44))
    recipe = write_recipe(tmp_path, tokenizer, RECIPE.replace("128", "2048") + "min_tokens = 512\n")
    made = build_here(recipe)
    short = query(made.version, "select reason, detail from fates where stage = 'tokenize'").rows()
    assert short
    assert {reason for reason, _ in short} == {"short"}
    assert all(detail.endswith("min_tokens is 512") for _, detail in short)
    assert query(made.version, "select min(n_tokens) from documents").item() >= 512
    assert verify(made.version) == []


def test_what_a_dialogue_loses_is_said_in_one_line(tmp_path: Path, tokenizer: Path) -> None:
    said = "\n".join(
        f'{{"messages": [{{"role": "user", "content": "{" ".join(prose(n, 400).split())}"}}, '
        f'{{"role": "assistant", "content": "{" ".join(prose(n + 50, 20).split())}"}}]}}'
        for n in range(12)
    )
    (tmp_path / "said.jsonl").write_text(said)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'name = "talk"\n[[source]]\nuse = "chats"\npath = "said.jsonl"\n'
        "[dedup]\nfuzzy = false\n[split]\nval = 0.2\ntest = 0.2\n"
        f'[tokens]\nmodel = "{tokenizer}"\nmax_tokens = 256\nformat = {{ use = "chat", template = "vicuna" }}\n'
    )
    made = build_here(recipe)
    lost = query(made.version, "select sum(n_lost) from cuts").item()
    assert lost > 0
    assert f"{lost:,} tokens of context stand in no chunk" in build_summary(made, recipe, tmp_path)
    assert verify(made.version) == []


def test_a_version_from_before_cuts_opens_and_verifies(tmp_path: Path) -> None:
    made = contents()
    del made.tables["cuts"]
    version = write_version(tmp_path, made=made)
    assert not version.files("cuts")
    assert verify(version) == []
    empty = query(version, "select * from cuts")
    assert (empty.height, empty.columns) == (0, CUTS.names)


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        ("overlap = 33", "tokens.overlap", "at most 32, a quarter of max_tokens = 128"),
        ("min_tokens = 33", "tokens.min_tokens", "at most 32"),
        ("overlap = -1", "tokens.overlap", "at least 0"),
        ('header = ["titel"]', "tokens.header.0", "title"),
        ('header = ["title", "title"]', "tokens.header", "twice"),
        ('header = ["title"]\nformat = "chat"', "tokens.header", "the option `system`"),
    ],
)
def test_options_that_cannot_work_are_faults(
    tmp_path: Path, tokenizer: Path, lines: str, key: str, words: str
) -> None:
    with pytest.raises(RecipeError) as raised:
        load_recipe(moved(tmp_path, tokenizer, lines + "\n"))
    assert [(fault.key, words in fault.message) for fault in raised.value.faults] == [(key, True)]


def test_short_rows_may_have_the_default_min_tokens() -> None:
    assert Tokens(max_tokens=8).cutting() == {"max_tokens": 8, "overlap": 0, "min_tokens": 1, "header": []}


def test_a_build_by_two_workers_has_the_same_cuts(tmp_path: Path, tokenizer: Path) -> None:
    write_site(tmp_path / "site")
    recipe = moved(tmp_path, tokenizer, 'overlap = 8\nheader = ["title"]\n')
    one = build_here(recipe, tmp_path / "one")
    two = build_here(recipe, tmp_path / "two", workers=2)
    assert parquet_hashes(one.version.path) == parquet_hashes(two.version.path)
