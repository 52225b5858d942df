"""Whatever a text is made of, every filter scores it and every document has a fate."""

import json
from pathlib import Path

import pytest
from builds import build_here, prose

from corpus.query import query
from corpus.versions import verify
from plugins.contracts import Filter
from plugins.entries import entries

OPTIONS = {
    "bad-words": 'words = ["damn"]',
    "regex": 'patterns = { digits = "[0-9]{9}" }',
    "decontaminate": 'files = "eval.txt"',
    "datatrove": 'use = "datatrove:RegexFilter"\nregex_exp = "zzzz"',
    "sampler": "rate = 0.5",
    "license": 'keep = ["MIT"]\nunknown = "keep"',
    "url": 'domains = "domains.txt"',
}
"""What filters without a default need; all others run as they come."""

TEXTS = {
    "empty": "",
    "blank": " \n\t ",
    "word": "word",
    "nul": "a\0b " * 40,
    "nuls": "\0" * 999,
    "surrogate": "half a pair \ud83d and more " * 9,
    "surrogates": "\udc00" * 50,
    "megabytes": "a" * 10_000_000,
    "spaces": " " * 1_000_000,
    "newlines": "\n" * 1_000_000,
    "stops": "." * 1_000_000,
    "marks": "a" + "\u0301" * 99_999,
    "han": "字" * 99_999,
    "emoji": "👩‍👩‍👧" * 9_999,
    "bidi": "\u202e\u200f\u2066" * 999,
    "line": "x " * 99_999,
}


@pytest.mark.slow
def test_every_hostile_text_has_a_score_and_a_fate(tmp_path: Path, tokenizer: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    rows = {**TEXTS, **{f"good{n}": prose(n, 400) for n in range(9)}}
    lines = [json.dumps({"id": name, "text": text}) for name, text in rows.items()]
    (site / "rows.jsonl").write_text("\n".join(lines), encoding="ascii")
    (tmp_path / "eval.txt").write_text(
        "a question that stands in no text of this test, with thirteen words or more of it"
    )
    (tmp_path / "domains.txt").write_text("example.com\n")
    names = [name for name, entry in entries("filter").items() if entry.origin == "gristmill"]
    tables = []
    for name in names:
        given = OPTIONS.get(name, "")
        tables.append(
            f"[[filter]]\n{given if 'use' in given else f'use = {json.dumps(name)}' + chr(10) + given}\n"
        )
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'name = "hostile"\nclean = []\n[[source]]\nuse = "files"\npath = "site/*.jsonl"\nid = "id"\n'
        + "".join(reversed(tables))  # in no order of ours
        + f'[split]\nval = 0\ntest = 0\n[tokens]\nmodel = "{tokenizer}"\nmax_tokens = 256\n'
    )
    built = build_here(recipe)
    assert verify(built.version) == []
    fates = query(
        built.version,
        "select p.locator, f.stage, f.reason, f.detail from fates f join pages p using (page_id)",
    )
    assert fates.height == len(rows)
    assert not fates.filter(reason="failed").height
    assert [row for row in fates.rows() if row[2] and row[2].endswith(":failed")] == []
    scores = query(built.version, "select * from scores")
    documents = query(built.version, "select doc_id from fates where doc_id is not null and stage != 'clean'")
    assert scores.height == documents.height
    columns = {column for table in recipe_filters(recipe) for column in table.columns()}
    assert columns == set(scores.columns) - {"doc_id"}


def recipe_filters(recipe: Path) -> list[Filter]:
    from plugins.registry import load_recipe

    made = [spec.make() for spec in load_recipe(recipe).filters]
    return [plugin for plugin in made if isinstance(plugin, Filter)]
