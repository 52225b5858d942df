import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from plugins.code.languages import BY_NAME
from plugins.code.parsing import parse
from plugins.contracts import Threshold
from plugins.filters.code import Code

HUMAN_EVAL = Path(__file__).resolve().parents[4] / "shared/data/code/human-eval/data/HumanEval.jsonl.gz"


def verdicts(code_filter, texts, **columns):
    documents = pl.DataFrame(
        {"text": texts, **{name: columns.get(name, [None] * len(texts)) for name in code_filter.reads}},
        schema=dict.fromkeys(("text", *code_filter.reads), pl.String),
    )
    scores = code_filter.score_documents(documents)
    rules = code_filter.rules()
    if not rules:
        return [None] * len(texts)
    fails = scores.select(rule.fails.fill_null(value=True).alias(rule.reason) for rule in rules)
    return [next((rule.reason for rule in rules if row[rule.reason]), None) for row in fails.to_dicts()]


def verdict(text, **options):
    return verdicts(Code(**options), [text])[0]


@pytest.mark.skipif(not HUMAN_EVAL.exists(), reason="shared data is absent")
@pytest.mark.parametrize(("language", "floor"), [("python", 164), ("auto", 162)])
def test_of_human_eval_prompts_are_incomplete_and_prompts_with_solutions_are_whole(language, floor):
    with gzip.open(HUMAN_EVAL, "rt", encoding="utf-8") as lines:
        problems = [json.loads(line) for line in lines]
    judge = Code(language=language)
    prompts = verdicts(judge, [problem["prompt"] for problem in problems])
    whole = verdicts(judge, [problem["prompt"] + problem["canonical_solution"] for problem in problems])
    assert len(problems) == 164
    assert sum(reason is not None for reason in prompts) >= floor
    assert sum(reason is None for reason in whole) == 164


WHOLE = {
    "javascript": "export function half(x) {\n  return x / 2;\n}\n",
    "typescript": "export function half(x: number): number {\n  return x / 2;\n}\n",
    "java": "public class Half {\n  public static int half(int x) {\n    return x / 2;\n  }\n}\n",
    "c": "#include <stdio.h>\nint half(int x) {\n  return x / 2;\n}\n",
    "cpp": "#include <vector>\nint half(const std::vector<int>& x) {\n  return x[0] / 2;\n}\n",
    "go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println(4 / 2)\n}\n',
    "rust": "pub fn half(x: i32) -> i32 {\n    x / 2\n}\n",
    "csharp": "using System;\n\npublic class Half {\n    public static int Of(int x) { return x / 2; }\n}\n",
    "php": "<?php\nfunction half($x) {\n    return $x / 2;\n}\n",
    "ruby": "def half(x)\n  [x].each do |y|\n    puts y / 2\n  end\nend\n",
    "bash": '#!/bin/bash\nif [ -n "$1" ]; then\n  echo "$1"\nfi\n',
    "python": "def half(x):\n    if x:\n        return x / 2\n    return None\n",
}

# Share of the cuts of WHOLE, at every token but the first four and the last, that are flagged; what is not is whole code too.
FLOORS = {**dict.fromkeys(WHOLE, 1.0), "go": 0.93, "python": 0.6, "typescript": 0.83}


@pytest.mark.parametrize("language", sorted(WHOLE))
def test_whole_code_passes_and_its_language_is_found(language):
    scores = Code().score(pl.Series([WHOLE[language]]))
    assert scores["code_language"].to_list() == [language]
    assert verdict(WHOLE[language]) is None


@pytest.mark.parametrize("language", sorted(WHOLE))
def test_code_that_stops_before_its_last_line_is_dropped(language):
    torn = {"python": "def half(x):\n    if x:\n", "php": "<?php\nfunction half($x) {\n    return $x"}
    text = torn.get(language, "\n".join(WHOLE[language].rstrip().split("\n")[:-1]))
    assert verdict(text, language=language) is not None


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("python", 'def half(x):\n    """Half."""\n', "empty_body"),
        ("python", "def half(x):\n    ...\n", "empty_body"),
        ("python", "class Half:\n", "empty_body"),
        ("python", 'class HalfError(Exception):\n    """Not a half."""\n', None),
        ("python", "class P(Protocol):\n    def half(self, x): ...\n", None),
        ("python", "class A:\n    @abstractmethod\n    def half(self, x):\n        '''Half.'''\n", None),
        ("python", "def half(x):\n    pass\n", None),
        ("python", "x = 1\n...\ny = 2\n", "elision"),
        ("python", "def half(x):\n    # ...\n    return x / 2\n", "elision"),
        ("python", "x = 'never closed\n", "cut"),
        ("java", "class A {\n  int half(int x);\n}\n", "empty_body"),
        ("java", "interface A {\n  int half(int x);\n}\n", None),
        ("java", "abstract class A {\n  abstract int half(int x);\n}\n", None),
        ("java", "class A {\n  int half(int x) {\n    // TODO\n  }\n}\n", "empty_body"),
        ("java", "class A {\n  // rest of the code\n}\n", "elision"),
        ("javascript", "function half(x) {\n  // your code here\n}\n", "empty_body"),
        ("javascript", "const a = [1, 2, 3;\nfoo();\n", "unbalanced"),
        ("c", "int half(int x);\n", None),
        ("go", "package a\n\nfunc half(x int) int\n", "empty_body"),
        ("rust", "trait A {\n    fn half(x: i32) -> i32;\n}\n", None),
        ("rust", "impl A {\n    fn half(x: i32) -> i32;\n}\n", "empty_body"),
        ("cpp", "/* a comment that never", "cut"),
    ],
)
def test_each_fault_has_its_reason_and_what_whole_code_does_has_none(language, text, reason):
    found = verdict(text, language=language, max_error_share=1)
    assert found == reason


def test_sessions_are_read_without_prompts_and_answers():
    python = ">>> for x in 'ab':\n...     print(x)\n...\na\nb\n>>> 1 / 0\nTraceback (most recent call last):\n  ..."
    shell = "$ ls -l /tmp\ntotal 0 (or so\n$ echo done\ndone"
    assert Code().score(pl.Series([python, shell]))["code_language"].to_list() == ["python", "bash"]
    assert verdicts(Code(), [python, shell]) == [None, None]
    assert verdict(">>> for x in 'ab':\n") == "cut"


def test_prose_is_no_code_and_passes_unless_unknown_is_dropped():
    prose = "The ferry leaves at nine. Import duties (if any) are paid at the gate; let them wait.\n" * 20
    assert verdict(prose) is None
    assert verdict(prose, unknown="drop") == "unknown"
    assert Code().score(pl.Series(["", prose]))["code_snippets"].to_list() == [0, 0]


def test_fenced_blocks_are_judged_and_the_text_around_them_is_not():
    whole = "Some (text.\n\n```py\nx = [1]\n```\n\n- item:\n\n  ```js\n  f(1);\n  ```\n\n```text\n((((\n```\n"
    scores = Code(fenced=True).score(pl.Series([whole]))
    assert scores["code_snippets"].to_list() == [2]
    assert verdict(whole, fenced=True) is None
    assert verdict("```py\nx = [1\n```\n", fenced=True, max_error_share=1) == "unbalanced"
    assert verdict("Look:\n\n```py\nx = 1\n", fenced=True) == "cut"


def test_the_language_comes_from_a_files_ending_or_the_column_named():
    judge = Code()
    assert verdicts(judge, ["x = = 1"], locator=["src/a.py"]) == ["errors"]
    assert verdicts(judge, ["The page of a shop."], locator=["https://a.example/index.php"]) == [None]
    by_title = Code(language="title")
    scores = by_title.score_documents(
        pl.DataFrame({
            "text": ["x = 1", "main = print 1", "let x = 1;"],
            "title": ["Python", "haskell", ""],
            **{name: [None] * 3 for name in ("locator", "author", "source")},
        })
    )
    assert scores["code_language"].to_list() == ["python", None, "javascript"]


def test_an_unknown_language_is_a_fault_that_names_the_nearest():
    with pytest.raises(ValidationError, match='Nearest: "javascript"'):
        Code(language="javscript")
    assert Code(language="C++").language == "cpp"


def test_flagging_drops_nothing_and_shares_its_scores_with_dropping():
    assert verdict("x = (", action="flag") is None
    told = [Code(action=action).identity(without=Threshold) for action in ("flag", "drop")]
    assert told[0] == told[1]


def test_a_rows_scores_do_not_depend_on_its_neighbours():
    texts = [*WHOLE.values(), "x = (", ""]
    together = Code().score(pl.Series(texts))
    assert together.equals(pl.concat([Code().score(pl.Series([text])) for text in texts]))


def token_ends(code, language):
    tree, _ = parse(code, BY_NAME[language])
    waiting, ends = [tree.root_node], set()
    while waiting:
        node = waiting.pop()
        waiting += node.children
        if not node.child_count:
            ends.add(node.end_byte)
    return sorted(ends)[4:-1]


@pytest.mark.parametrize(("language", "floor"), FLOORS.items())
def test_code_cut_at_any_token_is_told_from_whole_code_as_often_as_it_was(language, floor):
    code = WHOLE[language].encode()
    pieces = [code[:end].decode() for end in token_ends(code, language)]
    found = verdicts(Code(language=language), pieces)
    assert sum(reason is not None for reason in found) >= floor * len(pieces)
