"""boilerplate learns what a site repeats, and takes out that and nothing else."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from corpus.phases.edits import apply
from plugins.cleaners import site_learning
from plugins.cleaners.boilerplate import Boilerplate

WORDS = [
    "rain",
    "inn",
    "road",
    "lamp",
    "mill",
    "ford",
    "crow",
    "bread",
    "salt",
    "door",
    "hill",
    "boat",
    "moss",
    "wolf",
    "tide",
    "coin",
]
BANNER = "We use cookies to make this site better. Accept or leave."
FOOTER = "© 2024 The Hearthside Inn, all rights reserved."
MORE = "Click here to read more"
BAR = ("Share", "Tweet", "Pin it", "Send by mail")
FRAME = {BANNER, FOOTER, MORE, *BAR}


def sentence(draw: random.Random, length: int = 12) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(length)).capitalize() + "."


def site(pages: int = 40, seed: int = 0) -> list[str]:
    """Pages with a frame, headings that repeat by right, and code and tables that repeat, too."""
    draw = random.Random(seed)
    made = []
    for n in range(pages):
        body = [f"The {draw.choice(WORDS)} of {draw.choice(WORDS)} {n}", "", "Introduction", ""]
        body += [sentence(draw) for _ in range(4)]
        body += ["", "## How to use it at once", "", "    import hearth as inn and door", sentence(draw)]
        body += ["| Name | Type | Default | What it means |", f"| {draw.choice(WORDS)} | int | {n} | none |"]
        body += ["", "Answer", "", *[sentence(draw) for _ in range(draw.randint(4, 9))], "", "```"]
        body += [
            "make install and hope for the best",
            "```",
            "",
            sentence(draw),
            "",
            "See also",
            "",
            sentence(draw, 6),
        ]
        frame = [BANNER, "", *body, "", *BAR, "", *([MORE] if n % 3 else []), "", FOOTER]
        made.append("\n".join(frame))
    return made


def learned(cleaner: Boilerplate, pages: Sequence[Sequence[str]], scopes: Sequence[str]) -> pa.Table:
    return cleaner.learn([cleaner.count(pages, scopes)], Counter(scopes))


def cleaned(cleaner: Boilerplate, pages: Sequence[str], table: pa.Table, scope: str = "s") -> list[str]:
    made = cleaner.clean_learned([[page] for page in pages], [scope] * len(pages), table)
    return [apply(page, *edits) for page, edits in zip(pages, made, strict=True)]


def test_the_frame_of_a_site_goes_and_its_headings_code_and_tables_stay() -> None:
    pages = site()
    cleaner = Boilerplate()
    table = learned(cleaner, [[page] for page in pages], ["s"] * len(pages))
    assert set(table["line"].to_pylist()) == FRAME
    for before, after in zip(pages, cleaned(cleaner, pages, table), strict=True):
        kept = [line for line in before.split("\n") if line and line not in FRAME]
        assert [line for line in after.split("\n") if line] == kept


def test_the_table_says_on_how_many_pages_of_how_many_a_line_stands() -> None:
    pages = site(40)
    table = learned(Boilerplate(), [[page] for page in pages], ["s"] * 40)
    (more,) = [row for row in table.to_pylist() if row["line"] == MORE]
    assert (more["n_pages"], more["n_scope_pages"]) == (26, 40)


def test_a_site_is_learned_by_itself() -> None:
    pages = [*site(20, 1), *site(4, 2)]
    scopes = ["large"] * 20 + ["small"] * 4
    table = learned(Boilerplate(), [[page] for page in pages], scopes)
    assert set(table["scope"].to_pylist()) == {"large"}
    assert cleaned(Boilerplate(), pages[20:], table, "small") == pages[20:]


@given(st.integers(0, 9), st.lists(st.integers(1, 40), max_size=5), st.randoms(use_true_random=False))
def test_what_is_learned_does_not_depend_on_order_or_on_how_pages_are_cut_into_tasks(
    seed: int, cuts: list[int], draw: random.Random
) -> None:
    pages = [[page] for page in site(40, seed)]
    cleaner = Boilerplate()
    whole = learned(cleaner, pages, ["s"] * 40)
    draw.shuffle(pages)
    ends = sorted({0, *cuts, 40})
    parts = [pages[a:b] for a, b in pairwise(ends)]
    counts = [cleaner.count(part, ["s"] * len(part)) for part in parts]
    by = [("scope", "ascending"), ("line", "ascending")]
    assert cleaner.learn(counts, {"s": 40}).sort_by(by) == whole.sort_by(by)


def test_lines_whose_counters_fall_together_in_the_sketch_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages = [[page] for page in site()]
    whole = learned(Boilerplate(), pages, ["s"] * 40)
    monkeypatch.setattr(site_learning, "SKETCH", 7)
    monkeypatch.setattr(site_learning, "HELD", 10)
    assert learned(Boilerplate(), pages, ["s"] * 40) == whole


def test_a_short_line_that_opens_what_varies_stays_though_it_always_follows_the_frame() -> None:
    draw = random.Random(3)
    pages = ["\n".join([BANNER, "NAME", *[sentence(draw) for _ in range(9)]]) for _ in range(20)]
    table = learned(Boilerplate(), [[page] for page in pages], ["s"] * 20)
    assert table["line"].to_pylist() == [BANNER]


def test_a_line_in_the_middle_of_pages_needs_the_larger_share() -> None:
    draw = random.Random(4)
    said = "The bell of the inn rings once, and nobody looks up."

    def page(n: int, share: int) -> str:
        body = [sentence(draw) for _ in range(30)]
        return "\n".join([*body[:15], *([said] if n < share else []), *body[15:]])

    for share, known in ((12, []), (30, [said])):
        pages = [[page(n, share)] for n in range(40)]
        assert learned(Boilerplate(), pages, ["s"] * 40)["line"].to_pylist() == known


def test_in_a_dialogue_the_ends_of_a_message_are_no_ends_of_a_page() -> None:
    draw = random.Random(5)
    thanks = "Thank you very much for all of your help!"
    threads = [
        [sentence(draw), sentence(draw) + ("\n" + thanks if n < 12 else ""), sentence(draw)]
        for n in range(40)
    ]
    assert learned(Boilerplate(), threads, ["s"] * 40)["line"].to_pylist() == []
    banner = [[BANNER + "\n" + sentence(draw), sentence(draw)] for _ in range(40)]
    table = learned(Boilerplate(), banner, ["s"] * 40)
    (edits,) = Boilerplate().clean_learned(banner[:1], ["s"], table)
    assert [apply(text, made) for text, made in zip(banner[0], edits, strict=True)] == [
        banner[0][0].removeprefix(BANNER + "\n"),
        banner[0][1],
    ]


def test_other_spellings_of_a_learned_line_go_too() -> None:
    table = pa.table({"scope": ["s"], "line": ["Click here to read more"]})
    body = "Rain fell on the inn for nine days.\n\n{}\n\nThen it stopped, and nobody noticed."
    for line in (
        "  CLICK\u00a0here to  read more ",
        "Click\u200b here to read more",
        "Ｃｌｉｃｋ here to read more",
    ):
        assert cleaned(Boilerplate(), [body.format(line)], table) == [body.replace("{}\n\n", "")]
    assert cleaned(Boilerplate(), [body.format("Click here to read more.")], table) == [
        body.format("Click here to read more.")
    ]


def test_digits_are_folded_only_where_the_recipe_says_so() -> None:
    draw = random.Random(6)
    pages = [
        ["\n".join([*[sentence(draw) for _ in range(9)], f"There are {n} comments on this page."])]
        for n in range(20)
    ]
    assert learned(Boilerplate(), pages, ["s"] * 20)["line"].to_pylist() == []
    folded = Boilerplate(fold_digits=True)
    table = learned(folded, pages, ["s"] * 20)
    assert table["line"].to_pylist() == ["There are 0 comments on this page."]
    assert cleaned(folded, [page for (page,) in pages], table)[3].endswith(".")


def test_a_document_that_would_lose_too_much_is_left_alone() -> None:
    table = pa.table({"scope": ["s"], "line": [BANNER]})
    assert cleaned(Boilerplate(), [f"{BANNER}\nShort."], table) == [f"{BANNER}\nShort."]
    assert cleaned(Boilerplate(max_loss=1), [f"{BANNER}\nShort."], table) == ["Short."]


LINES = st.lists(
    st.sampled_from([
        "",
        "",
        " ",
        "\t",
        MORE,
        f"  {MORE} ",
        FOOTER,
        "She left.",
        "    code",
        "```",
        "~~~",
        "| a | b |",
        "\u3000",
    ]),
    max_size=14,
)


@given(LINES, st.sampled_from(["\n", "\r\n"]))
def test_cleaning_twice_changes_nothing_more_and_keeps_every_other_line_in_its_paragraph(
    lines: list[str], end: str
) -> None:
    cleaner = Boilerplate(max_loss=1)
    table = pa.table({"scope": ["s", "s"], "line": [MORE, FOOTER]})
    before = end.join(lines)
    (after,) = cleaned(cleaner, [before], table)
    assert cleaned(cleaner, [after], table) == [after]
    (edits,) = cleaner.clean_learned([[before]], ["s"], table)
    gone = Counter(cleaner.key(before[edit.start : edit.end]) for edit in edits[0])
    assert set(gone) <= {cleaner.key(MORE), cleaner.key(FOOTER)}
    said = Counter(line.strip() for line in before.split("\n") if line.strip())
    left = Counter(line.strip() for line in after.split("\n") if line.strip())
    assert {line: count - left[line] for line, count in said.items() if count > left[line]} == {
        line: gone[cleaner.key(line)] for line in (MORE, FOOTER) if gone[cleaner.key(line)]
    }


@pytest.mark.parametrize(
    "text", ["", "\0", "\ufffd" * 9, "a" * 1_000_000, "[" * 100_000, "\n" * 100_000, "```\n" * 50_000]
)
def test_hostile_texts_are_counted_and_cleaned(text: str) -> None:
    cleaner = Boilerplate()
    table = learned(cleaner, [[text]] * 6, ["s"] * 6)
    assert len(cleaned(cleaner, [text], table)) == 1
