"""Conversations of every shape: read as they were meant, nothing unaccounted, a broken record costs itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from plugins.contracts import Extracted, Page, Part, Place
from plugins.extractors.encoding import decode
from plugins.extractors.head import read_head
from plugins.scrapers.chat_shapes.detection import SHAPES
from plugins.scrapers.chats import Chats, page_of

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "chats"


def pages(base: Path, path: str, **options: object) -> dict[str, Page]:
    scraper, place = Chats(path=path, **options), Place(base, base)
    told = json.loads(json.dumps([part.where for part in scraper.parts(place)]))
    found = [page for where in told for page in scraper.fetch(place, Part(where))]
    assert len({page.locator for page in found}) == len(found)
    return {page.locator: page for page in found}


def read(base: Path, path: str, **options: object) -> dict[str, Extracted]:
    return {
        locator.partition("#")[2]: Chats(path=path, **options).parse(page.content.decode())
        for locator, page in pages(base, path, **options).items()
        if page.content is not None
    }


def said(found: Extracted) -> list[tuple[str, str | None, str]]:
    return [(m["role"], m["name"], m["content"]) for m in found.messages]


# ------------------------------------------------------------------------------------------------ shapes


@pytest.mark.parametrize(
    ("file", "shape", "count"),
    [
        ("sharegpt.jsonl", "sharegpt", 3),
        ("sharegpt-array.json", "sharegpt", 1),
        ("openai.jsonl", "openai", 2),
        ("openai-tools.jsonl", "openai", 1),
        ("alpaca.json", "alpaca", 3),
        ("sillytavern.jsonl", "sillytavern", 1),
        ("characterai.json", "characterai", 2),
        ("characterai-turns.json", "characterai", 1),
        ("discord.json", "discord", 2),
        ("irc.log", "irc", 2),
        ("irc-linked.raw.txt", "irc", 2),
        ("turns.csv", "csv", 2),
        ("pairs.csv", "csv", 2),
    ],
)
def test_a_files_shape_is_told_by_its_content(file: str, shape: str, count: int, tmp_path: Path) -> None:
    for sibling in SAMPLES.glob(f"{file.partition('.')[0]}.*"):
        (tmp_path / sibling.name).write_bytes(sibling.read_bytes())
    found = [page for page in pages(tmp_path, file).values() if page.error is None]
    assert [page.metadata["shape"] for page in found] == [shape] * count


def test_a_weight_of_nought_is_read_and_not_trained() -> None:
    for file, key in (("sharegpt.jsonl", "000000001"), ("openai.jsonl", "000000000")):
        trained = [m["train"] for m in read(SAMPLES, file)[key].messages if m["role"] == "assistant"]
        assert trained == [False, True]


def test_parts_of_a_content_are_joined_and_what_is_no_text_is_counted() -> None:
    found = read(SAMPLES, "openai-tools.jsonl")["000000000"]
    assert said(found)[1] == ("user", None, "When is high water?\nAt the pier.")
    assert said(found)[2][2] == '<tool_call>{"name": "tide", "arguments": {"place": "pier"}}</tool_call>'
    assert [m["role"] for m in found.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert found.metadata["dropped"] == {"image_url": 1}


def test_a_tavern_chat_has_the_answers_that_were_chosen_and_not_what_is_hidden() -> None:
    found = read(SAMPLES, "sillytavern.jsonl")["000000000"]
    assert [role for role, _, _ in said(found)] == ["assistant", "user", "assistant", "user"]
    assert said(found)[2] == ("assistant", "Brannoch", "The door lies.")
    assert found.metadata == {
        "user_name": "Ilse",
        "character_name": "Brannoch",
        "swipes": 2,
        "dropped": {"hidden": 1},
    }


def test_turns_of_character_ai_are_put_in_order_and_the_chosen_answer_counts() -> None:
    found = read(SAMPLES, "characterai-turns.json")["000000000"]
    assert said(found) == [
        ("assistant", "Captain Ode", "Mind the wet plank."),
        ("user", "guest", "The wind is gone."),
        ("assistant", "Captain Ode", "Row, then."),
    ]
    assert found.metadata["swipes"] == 1


def test_a_discord_channel_is_cut_where_nobody_speaks() -> None:
    by_gap = read(SAMPLES, "discord.json")
    assert {key: len(found.messages) for key, found in by_gap.items()} == {"000000000": 6, "000000001": 2}
    first = by_gap["000000000"]
    assert first.metadata["dropped"] == {"system": 1, "empty": 1}
    assert first.metadata["bots"] == 1
    assert by_gap["000000001"].metadata["attachments"] == 1
    assert len(read(SAMPLES, "discord.json", gap="1d")["000000000"].messages) == 8
    assert len(read(SAMPLES, "discord.json", split="file")) == 1


def test_a_discord_channel_is_untangled_by_replies() -> None:
    found = read(SAMPLES, "discord.json", split="links")
    contents = {key: [text for _, _, text in said(one)] for key, one in found.items()}
    assert contents["000000001"] == [
        "Not me. I cannot draw boats.",
        "Then the boats are older than the wall.",
    ]
    assert contents["000000002"] == ["Does anyone still have rope?", "Forty feet of it.", "1d20 = 17"]
    assert sum(map(len, contents.values())) == 8


def test_the_assistant_is_who_the_recipe_says() -> None:
    found = read(SAMPLES, "discord.json", assistant="dicebot")["000000000"]
    assert [name for role, name, _ in said(found) if role == "assistant"] == ["dicebot"]
    irc = read(SAMPLES, "irc.log", assistant="bo")["000000000"]
    assert [m["content"] for m in irc.messages if m["role"] == "assistant"] == ["stuck, and now it sings"]


def test_an_irc_log_is_cut_by_silence_across_midnight() -> None:
    found = read(SAMPLES, "irc.log")
    assert [len(one.messages) for one in found.values()] == [4, 2]
    assert said(found["000000000"])[2] == ("user", "ann", "*listens at the pipe*")
    assert [len(one.messages) for one in read(SAMPLES, "irc.log", gap="3h").values()] == [6]


def test_an_irc_log_with_links_is_untangled_and_what_they_do_not_name_is_a_fate() -> None:
    found = read(SAMPLES, "irc-linked.raw.txt")
    assert [[name for _, name, _ in said(one)] for one in found.values()] == [
        ["ann", "cy", "ann"],
        ["bo", "dee", "bo"],
    ]
    left = pages(SAMPLES, "irc-linked.raw.txt")["irc-linked.raw.txt#unlinked"]
    assert (left.error, left.detail[:15]) == ("unlinked", "1 lines of talk")
    assert [len(one.messages) for one in read(SAMPLES, "irc-linked.raw.txt", split="gap").values()] == [7]


def test_csv_turns_are_gathered_by_conversation_and_a_pair_a_row_is_one() -> None:
    turns = read(SAMPLES, "turns.csv")
    assert said(turns["000000000"]) == [
        ("user", "Ann", "Where does the stair go?"),
        ("assistant", "Keeper", "Down.\nThen further down."),
        ("user", "Ann", "And back?"),
    ]
    assert turns["000000000"].metadata["dropped"] == {"empty": 1}
    pair = read(SAMPLES, "pairs.csv")["000000001"]
    assert said(pair) == [("user", None, "Which other stone?"), ("assistant", None, "You will know it.")]
    assert pair.metadata == {"topic": "house"}


def test_csv_columns_are_named_by_options(tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_text("who\tline\twhen\nbo\tsecond\t20\nann\tfirst\t3\n")
    found = read(tmp_path, "log.tsv", speaker="who", text="line", time="when")
    assert said(found["000000000"]) == [("user", "ann", "first"), ("user", "bo", "second")]


def test_the_irc_corpus_has_the_conversations_its_links_make(shared_data: Path) -> None:
    folder = shared_data / "dialogue" / "irc-dev" / "dev"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    found = [page for page in pages(folder, "*.raw.txt").values() if page.error is None]
    messages = sum(len(Chats(path="x").parse(page.content.decode()).messages) for page in found)
    assert len(found) == 330
    assert messages == 2369
    # An oracle of another make: components by flooding, of lines that look like talk.
    expected = 0
    for log in sorted(folder.glob("*.raw.txt")):
        lines = log.read_text().splitlines()
        beside: dict[int, set[int]] = {}
        for pair in log.with_name(log.name.replace(".raw.", ".annotation.")).read_text().splitlines():
            one, other = map(int, pair.split()[:2])
            beside.setdefault(one, set()).add(other)
            beside.setdefault(other, set()).add(one)
        seen: set[int] = set()
        for start in sorted(beside):
            component, waiting = set(), [start]
            while waiting:
                at = waiting.pop()
                if at not in seen:
                    seen.add(at)
                    component.add(at)
                    waiting += beside[at]
            talk = [
                lines[n] for n in component if lines[n].startswith("[") and len(lines[n].split(None, 2)) > 2
            ]
            expected += bool(talk)
    assert abs(expected - 330) <= 3  # what it takes for talk differs in "=== nick does"


# ------------------------------------------------------------------------------------------------ trouble


def test_a_broken_line_costs_itself(tmp_path: Path) -> None:
    good = '{"messages":[{"role":"user","content":"one"}]}'
    (tmp_path / "a.jsonl").write_text(f"{good}\n{{broken\n\n[1]\n{good}\n")
    found = pages(tmp_path, "a.jsonl")
    assert [page.error for page in found.values()] == [None, "malformed", "malformed", None]


def test_a_broken_line_of_a_tavern_chat_costs_the_line(tmp_path: Path) -> None:
    lines = (SAMPLES / "sillytavern.jsonl").read_text().splitlines()
    (tmp_path / "a.jsonl").write_text("\n".join([*lines[:2], lines[2][:-9], *lines[3:]]))
    found = pages(tmp_path, "a.jsonl")
    assert [page.error for page in found.values()] == ["malformed", None]
    assert [len(one.messages) for one in read(tmp_path, "a.jsonl").values()] == [3]


def test_an_array_cut_short_keeps_what_stands_before(tmp_path: Path) -> None:
    whole = (SAMPLES / "discord.json").read_text()
    (tmp_path / "d.json").write_text(whole[: whole.index("Morning")])
    for split in ("gap", "links"):
        errors = [page.error for page in pages(tmp_path, "d.json", gap="1m", split=split).values()]
        assert errors[-1] == "malformed"
        found = read(tmp_path, "d.json", gap="1m", split=split)
        assert sum(len(one.messages) for one in found.values()) == 6


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("a.json", b'{"weather": "rain", "wind": 3}', "unknown-shape", "weather, wind"),
        ("a.txt", b"Once upon a time there was a mill.\nIt burned.\n", "unknown-shape", "Once upon a time"),
        ("a.csv", b"who,line\nann,hello\n", "unknown-shape", 'text = "line"'),
        ("a.jsonl", b"", "unknown-shape", "empty"),
        ("a.csv", "speaker,text\nann,café\n".encode("latin-1"), "encoding", "windows-1252"),
        ("a.jsonl.gz", b"no gzip at all", "unreadable", "gzip"),
    ],
)
def test_a_file_of_no_known_shape_is_a_page_that_says_what_was_seen(
    name: str, content: bytes, error: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    (page,) = pages(tmp_path, name).values()
    assert page.error == error
    assert says in page.detail


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"guild":{"name":"g"},"channel":{"name":"c"},"messages":[]}'),
        ("a.json", '{"histories":{"histories":[]}}'),
        ("a.csv", "speaker,text\n"),
        ("a.log", "12:00 -!- ann [~a@b.example] has joined #cellar\n"),
    ],
)
def test_a_file_without_a_conversation_does_not_vanish(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert [page.error for page in pages(tmp_path, name).values()] == ["empty"]


def test_no_hostile_file_raises_or_vanishes(shared_data: Path) -> None:
    files = {path for path in (shared_data / "hostile").rglob("*") if path.is_file() and path.name[0] != "."}
    for shape in ("auto", *SHAPES):
        found = pages(shared_data, "hostile/**/*", shape=shape)
        assert len({page.raw_path for page in found.values()}) == len(files), shape
        for page in found.values():
            if page.content is not None:
                try:
                    assert Chats(path="a").parse(page.content.decode()).messages
                except ValueError as error:
                    assert str(error)  # noqa: PT017  its message is the page's fate


def test_an_encoding_may_be_stated_and_a_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("speaker,text\nann,café\n".encode("latin-1"))
    assert said(read(tmp_path, "a.csv", encoding="latin-1")["000000000"]) == [("user", "ann", "café")]
    (tmp_path / "b.csv").write_bytes("speaker,text\nann,café\n".encode("utf-8-sig"))
    assert said(read(tmp_path, "b.csv")["000000000"]) == [("user", "ann", "café")]


def test_a_record_of_another_shape_than_its_files_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"messages":[{"role":"user","content":"one"}]}\n{"texts":[]}\n')
    (_, second) = pages(tmp_path, "a.jsonl").values()
    with pytest.raises(ValueError, match='no list "messages"'):
        Chats(path="a").parse(second.content.decode())


@pytest.mark.parametrize("options", [{"gap": "soon"}, {"encoding": "klingon"}, {"shape": "telegram"}])
def test_what_cannot_work_is_refused_when_the_recipe_is_read(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Chats(path="a", **options)


# ------------------------------------------------------------------------------------------------ pages


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(sorted(SHAPES)))
def test_a_page_holds_its_record_to_the_character_and_no_markup(record: str, shape: str) -> None:
    data = page_of(shape, record)
    html = decode(data, "text/html; charset=utf-8", html=True).text
    assert read_head(html).title is None
    import re

    from plugins.scrapers.chats import _RECORD

    found = re.search(_RECORD, html)
    assert found is not None
    assert json.loads(found[2]) == record
    assert found[1] == shape


def test_markup_in_a_message_is_text() -> None:
    record = '{"messages":[{"role":"user","content":"<title>Mine</title></script><b>&amp;"}]}'
    html = page_of("openai", record).decode()
    assert Chats(path="a").parse(html).messages[0]["content"] == "<title>Mine</title></script><b>&amp;"
    assert read_head(html).title is None


def test_long_json_lines_are_cut_and_number_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = '{"instruction":"a","input":"","output":"' + "x" * 20_000 + '"}\n'
    (tmp_path / "a.jsonl").write_text(line * 50)
    monkeypatch.setattr("plugins.scrapers.chats.PART_BYTES", 1000)
    place = Place(tmp_path, tmp_path)
    assert len(Chats(path="a.jsonl").parts(place)) > 2
    assert list(pages(tmp_path, "a.jsonl")) == [f"a.jsonl#{n:09}" for n in range(50)]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_a_large_discord_channel_is_read_in_bounded_memory(tmp_path: Path) -> None:
    message = json.loads((SAMPLES / "discord.json").read_text())["messages"][0]
    with (tmp_path / "d.json").open("w") as file:
        file.write('{"guild":{"name":"g"},"channel":{"name":"c"},"messages":[')
        for n in range(40_000):
            stamp = f"2026-01-{1 + n // 1440 % 28:02}T{n // 60 % 24:02}:{n % 60:02}:00+00:00"
            text = json.dumps({**message, "id": str(n), "timestamp": stamp, "content": "word " * 60})
            file.write(("," if n else "") + text)
        file.write("]}")
    size = (tmp_path / "d.json").stat().st_size
    program = """
import sys
from pathlib import Path
from plugins.contracts import Place
from plugins.scrapers.chats import Chats

def peak():  # of this program alone: what getrusage tells begins with the parent's
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

place, scraper = Place(Path(sys.argv[1]), Path(sys.argv[1])), Chats(path="d.json", gap="30s")
parts = scraper.parts(place)
before = peak()
print(sum(page.error is None for part in parts for page in scraper.fetch(place, part)), peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=SAMPLES.parents[2],
    )
    count, grown = map(int, done.stdout.split())
    assert count == 40_000
    assert grown < size / 2, (grown, size)


def test_what_follows_the_end_of_a_document_is_not_lost_in_silence():
    import io

    from plugins.scrapers.chat_shapes.json_members import members

    with pytest.raises(ValueError, match="follows the end"):
        list(members(io.StringIO('{"messages": [1]}\n{"messages": [2]}'), "messages"))
    assert list(members(io.StringIO('{"messages": [1]} \n'), "messages")) == [("messages", 1)]


def test_a_day_that_is_none_is_passed_over():
    from plugins.scrapers.chat_shapes.irc_lines import Watch, read_line

    watch = Watch()
    days = ["2020-02-28", "2020-02-31", "2020-02-29"]
    assert [watch.pause(read_line(f"[{day} 12:0{n}] <b> yo")) for n, day in enumerate(days)] == [
        None,
        60.0,
        86400.0 + 60,
    ]
