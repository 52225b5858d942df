"""`gristmill clean --preview` shows what a build's cleaners would change, on a sample that is the same each time."""

from pathlib import Path
from typing import Any

import pytest
from builds import prose
from phase_runs import FILES, Bench
from typer.testing import CliRunner

import corpus
from corpus.cli import app
from corpus.commands.clean import report
from corpus.phases.edits import apply
from schemas.errors import NotFound, SourceError
from schemas.store import Store

STEPS = '[[clean]]\nuse = "unicode"\n[[clean]]\nuse = "whitespace"\n'
NAMES = '''
from plugins.contracts import Cleaner, Turn

class Names(Cleaner):
    """Speakers are not named, and not trained."""

    name = "names"

    def clean(self, text):
        if "raise" in text:
            raise RuntimeError("not this one")
        return text

    def clean_messages(self, messages):
        return [Turn(m["content"].replace("hm", "Hm"), "Someone", False) for m in messages]
'''
FORUM = Path(__file__).resolve().parents[2] / "recipes/demo/site"


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["clean", *map(str, arguments)])


def bench(folder: Path, recipe: str = FILES + STEPS, pages: int = 30, plugin: str = "") -> Path:
    """A recipe over pages of which every third has double spaces."""
    made = Bench(folder, recipe, plugin)
    for n in range(pages):
        text = prose(n, 40)
        made.page(f"{n:02}.txt", text.replace(" ", "  ", 1) if n % 3 == 0 else text)
    return made.resolved().path


def test_a_sample_shows_the_documents_that_change_and_counts_all_it_looked_at(tmp_path: Path) -> None:
    made = corpus.preview(bench(tmp_path), n=4, root=tmp_path)
    assert len(made.documents) == 4
    assert all(int(document.locator[:2]) % 3 == 0 for document in made.documents)
    assert 4 <= made.changed <= made.looked_at <= 30
    unicode, whitespace = made.tallies
    assert (unicode.step, unicode.documents, unicode.spans) == ("0:unicode", 0, 0)
    assert (whitespace.step, whitespace.documents, whitespace.removed) == (
        "1:whitespace",
        made.changed,
        2 * made.changed,
    )
    assert whitespace.added == made.changed


def test_every_passage_replays(tmp_path: Path) -> None:
    for document in corpus.preview(bench(tmp_path), n=10, root=tmp_path).documents:
        (passage,) = document.passages
        assert apply(passage.before, passage.edits) == prose(int(document.locator[:2]), 40)


def test_the_sample_is_the_same_each_time_and_another_with_another_seed(tmp_path: Path) -> None:
    recipe = bench(tmp_path)

    def drawn(seed: int) -> list[str]:
        made = corpus.preview(recipe, n=5, seed=seed, every=True, root=tmp_path)
        assert made.looked_at == 5
        return [document.locator for document in made.documents]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_only_the_pages_of_the_sample_are_extracted_and_nothing_is_built(tmp_path: Path) -> None:
    recipe = bench(tmp_path)
    corpus.preview(recipe, n=5, every=True, root=tmp_path / "root")
    one = Bench(tmp_path, FILES + STEPS)
    one.extract()
    assert one.performed["extract"] == 25
    assert Store(tmp_path / "root").versions("bench") == []


def test_only_one_cleaner_is_shown_when_it_is_named(tmp_path: Path) -> None:
    recipe = bench(tmp_path)
    made = corpus.preview(recipe, only="unicode", root=tmp_path)
    assert [tally.step for tally in made.tallies] == ["0:unicode"]
    assert made.documents == []
    with pytest.raises(NotFound, match=r'no cleaner "unicod".*"unicode".*Its cleaners: unicode, whitespace'):
        corpus.preview(recipe, only="unicod", root=tmp_path)


def test_dialogues_show_who_speaks_and_what_becomes_of_names_and_flags(tmp_path: Path) -> None:
    recipe = f'[[source]]\nuse = "forum"\npath = "{FORUM}/**/*.html"\n[[clean]]\nuse = "names"\n'
    made = corpus.preview(Bench(tmp_path, recipe, NAMES).resolved().path, n=2, root=tmp_path)
    shown = "\n".join(report(made, width=None, colour=False))
    first = made.documents[0].passages[0]
    assert f"    #0 {first.speaker}: name [-{first.speaker}-]{{+Someone+}}" in shown
    assert f"    #0 {first.speaker}: train [-true-]{{+false+}}" in shown


def test_a_document_that_a_cleaner_fails_on_says_so(tmp_path: Path) -> None:
    recipe = FILES + '[[clean]]\nuse = "names"\n'
    path = bench(tmp_path, recipe, 2, NAMES)
    (tmp_path / "site" / "bad.txt").write_text("raise the roof")
    made = corpus.preview(path, root=tmp_path)
    (document,) = made.documents
    assert document.failure == "names: RuntimeError: not this one"
    assert "failed  names: RuntimeError" in "\n".join(report(made, width=80, colour=False))


def test_learners_learn_of_the_sites_of_the_sample(tmp_path: Path) -> None:
    banner = "We use cookies on this site, as every inn does."
    path = bench(tmp_path, FILES + '[[clean]]\nuse = "boilerplate"\n', 0)
    for n in range(12):
        Bench(tmp_path).page(f"{n}.txt", f"{banner}\n\n{prose(n, 60)}")
    made = corpus.preview(path, n=2, root=tmp_path)
    assert made.learned == {"0:boilerplate": (12, 1)}
    assert [document.passages[0].edits[0].start for document in made.documents] == [0, 0]


def test_an_escape_in_a_page_does_not_reach_the_terminal(tmp_path: Path) -> None:
    path = bench(tmp_path, FILES + STEPS, 0)
    Bench(tmp_path).page("a.txt", "Red \x1b[31m  inn \x9b5m\u202e here.")
    shown = run(path, "--preview", "--root", tmp_path).stdout
    assert "\\x1b" in shown
    assert not set("\x1b\x9b\u202e") & set(shown)


def test_lines_fit_eighty_columns(tmp_path: Path) -> None:
    made = corpus.preview(bench(tmp_path), root=tmp_path)
    assert max(len(line) for line in report(made, width=80, colour=False)) <= 80


def test_the_command_without_preview_says_what_to_type(tmp_path: Path) -> None:
    result = run(bench(tmp_path))
    assert result.exit_code == 2
    assert "--preview" in result.stderr


def test_a_source_that_has_gathered_nothing_says_what_to_type(tmp_path: Path) -> None:
    recipe = '[[source]]\nuse = "crawl"\nseeds = ["https://inn.example/"]\ncontact = "mailto:a@inn.example"\n'
    path = Bench(tmp_path, recipe).resolved().path
    with pytest.raises(SourceError, match=f"Type: gristmill crawl {path}"):
        corpus.preview(path, root=tmp_path)


def test_a_recipe_without_cleaners_or_texts_is_shown_as_it_is(tmp_path: Path) -> None:
    path = bench(tmp_path, "clean = []\n" + FILES, 3)
    made = corpus.preview(path, every=True, root=tmp_path)
    assert (made.looked_at, made.changed, made.tallies) == (3, 0, [])
    assert "3 documents, 0 of them changed" in "\n".join(report(made, width=80, colour=False))
    bare = Bench(tmp_path / "bare", FILES + '[[clean]]\nuse = "boilerplate"\n')
    bare.page("empty.html", "")
    assert corpus.preview(bare.resolved().path, root=tmp_path).without_text == 1
