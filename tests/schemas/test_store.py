"""name@N and name/N are found, and what is not there is told with what is."""

from pathlib import Path

import pytest

from schemas.errors import NotFound
from schemas.store import Store


def publish(root: Path, name: str, *numbers: int) -> None:
    for number in numbers:
        folder = root / "corpora" / name / f"v{number}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")


def test_a_name_alone_is_its_newest_version(tmp_path: Path) -> None:
    publish(tmp_path, "tales", 2, 10, 9)
    assert Store(tmp_path).version("tales").spec == "tales@10"
    assert Store(tmp_path).version("tales@9").path == tmp_path / "corpora/tales/v9"


def test_zeros_before_a_number_lead_to_the_same_folder(tmp_path: Path) -> None:
    publish(tmp_path, "tales", 1)
    (tmp_path / "runs/tales/2").mkdir(parents=True)
    assert Store(tmp_path).version("tales@v01").path == tmp_path / "corpora/tales/v1"
    assert Store(tmp_path).run("tales/02") == tmp_path / "runs/tales/2"


def test_a_folder_without_a_manifest_is_no_version(tmp_path: Path) -> None:
    publish(tmp_path, "tales", 1)
    (tmp_path / "corpora/tales/v2").mkdir()
    assert Store(tmp_path).numbers("tales") == [1]


@pytest.mark.parametrize("spec", ["tale", "tales@7", "tales@x", "tales@²", "../tales", ""])
def test_what_is_not_there_is_told_with_what_is(tmp_path: Path, spec: str) -> None:
    publish(tmp_path, "tales", 1)
    with pytest.raises(NotFound, match="tales"):
        Store(tmp_path).version(spec)


def test_an_empty_root_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="gristmill build"):
        Store(tmp_path).version("tales")
    with pytest.raises(NotFound, match="gristmill train"):
        Store(tmp_path).run("tales")
