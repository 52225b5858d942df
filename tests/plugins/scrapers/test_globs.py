import os

import pytest

from plugins.scrapers.globs import find
from schemas.errors import SourceError


@pytest.fixture
def tree(tmp_path):
    for name in (
        "a/one.html",
        "a/b/two.html",
        "a/b/c/three.HTML",
        "a/b/four.txt",
        "a/.hidden.html",
        "a/.git/five.html",
        "z [1].html",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return tmp_path


def locators(base, *patterns):
    return [match.locator for match in find(patterns, base)]


def test_files_come_sorted_and_named_from_the_folder_above_the_wildcards(tree):
    assert locators(tree, "a/**/*.html") == ["b/two.html", "one.html"]
    assert locators(tree, "a/*/*.txt") == ["b/four.txt"]
    assert locators(tree, "a/**/*.[hH][tT]*") == ["b/c/three.HTML", "b/two.html", "one.html"]


def test_several_patterns_share_the_deepest_common_folder_and_name_each_file_once(tree):
    assert locators(tree, "a/b/*.txt", "a/*.html", "a/**/*.html") == ["b/four.txt", "b/two.html", "one.html"]


def test_a_path_without_wildcards_names_one_file_even_with_brackets_in_it(tree):
    assert locators(tree, "a/b/two.html") == ["two.html"]
    assert locators(tree, "z [1].html") == ["z [1].html"]
    assert locators(tree, str(tree / "a/one.html")) == ["one.html"]


def test_hidden_files_are_found_only_by_patterns_that_write_the_dot(tree):
    assert locators(tree, "a/.*.html") == [".hidden.html"]
    assert locators(tree, "a/.git/*.html") == ["five.html"]


def test_a_loop_of_links_ends_and_other_links_are_followed(tree):
    (tree / "a/b/up").symlink_to(tree / "a", target_is_directory=True)
    (tree / "elsewhere").mkdir()
    (tree / "elsewhere/six.html").touch()
    (tree / "a/link").symlink_to(tree / "elsewhere", target_is_directory=True)
    assert locators(tree, "a/**/*.html") == ["b/two.html", "link/six.html", "one.html"]


def test_a_link_to_nothing_is_found_and_a_pipe_is_not(tree):
    (tree / "a/gone.html").symlink_to(tree / "nowhere")
    os.mkfifo(tree / "a/pipe.html")
    assert locators(tree, "a/*.html") == ["gone.html", "one.html"]


def test_a_folder_that_cannot_be_read_is_reported_not_passed_over(tree, monkeypatch):
    scandir = os.scandir

    def deny(folder):
        if os.fspath(folder).endswith("/b"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", deny)
    assert [(match.locator, match.error) for match in find(["a/**/*.html"], tree)] == [
        ("b", "Permission denied"),
        ("one.html", None),
    ]


def test_names_that_are_no_utf8_are_written_with_escapes(tree):
    name = os.fsdecode(b"caf\xe9.html")
    (tree / "a" / name).touch()
    assert "caf\\xe9.html" in locators(tree, "a/*.html")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (
            "a/*.pdf",
            r'no file matches "a/\*\.pdf", in full /.*/a/\*\.pdf\. /.*/a is there and holds b, one\.html\.',
        ),
        ("nowhere/x/*.html", r"is there and holds a, z \[1\]\.html\."),
        ("a/six.html", r'there is no file "a/six\.html", in full'),
        ("a/b", r'path = "a/b/\*\*/\*\.(html|txt)"'),
        ("a/*.{html,txt}", r'path = \["a/\*\.html", "a/\*\.md"\]'),
    ],
)
def test_what_is_not_there_is_an_error_that_says_what_is(tree, pattern, says):
    with pytest.raises(SourceError, match=says):
        find([pattern], tree)
