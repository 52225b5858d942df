"""Checkpoints as folders: sealed, two at a time, refused where they are not what the run wrote."""

import errno
import shutil

import pytest

from schemas.errors import Corruption, Mismatch, StorageError
from trainer.watching.checkpoints import Checkpoints, unwritable


def fill(folder, text="weights"):
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_model.safetensors").write_text(text)
    (folder / "state.json").write_text("{}")


@pytest.fixture
def checkpoints(tmp_path) -> Checkpoints:
    """Of a run at step 6, which wrote one every two steps."""
    mine = Checkpoints(tmp_path / "checkpoints", "mine")
    for step in (2, 4, 6):
        mine.write(step, fill, best=step - 2)
    return mine


def test_the_newest_two_stand(checkpoints):
    assert [(one.step, one.best) for one in checkpoints.standing()] == [(6, 4), (4, 2)]
    assert checkpoints.newest().step == 6
    assert {path.name for path in checkpoints.folder.iterdir()} == {"checkpoint-4", "checkpoint-6"}


def test_one_without_a_seal_is_passed_over_for_the_one_before(checkpoints):
    (checkpoints.folder / "checkpoint-6" / "seal.json").unlink()
    assert checkpoints.newest().step == 4
    assert [path.name for path in checkpoints.torn()] == ["checkpoint-6"]
    checkpoints.write(6, fill)
    assert checkpoints.newest().step == 6


def test_a_kill_amid_the_deleting_of_an_old_one_leaves_no_part_of_it(checkpoints, monkeypatch):
    """Seen in a run that was killed again and again: without a seal it stood for ever."""
    remove = shutil.rmtree

    def killed(path, **more):
        if path.name.endswith("-4"):
            (path / "seal.json").unlink()
            raise KeyboardInterrupt
        remove(path, **more)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.write(8, fill)
    assert checkpoints.torn() == []
    checkpoints.clear_up()
    assert {path.name for path in checkpoints.folder.iterdir()} == {"checkpoint-6", "checkpoint-8"}


@pytest.mark.parametrize("change", ["bytes", "gone", "one more", "a link"])
def test_one_that_was_changed_is_refused_and_the_file_named(checkpoints, change, tmp_path):
    folder = checkpoints.folder / "checkpoint-6"
    weights = folder / "adapter" / "adapter_model.safetensors"
    if change == "bytes":
        weights.write_text("wEights")
    elif change == "gone":
        weights.unlink()
    elif change == "one more":
        (folder / "adapter" / "adapter_model.bin").write_text("a pickle")
    else:
        (tmp_path / "other").write_text("other")
        weights.unlink()
        weights.symlink_to(tmp_path / "other")
    with pytest.raises(
        Corruption, match=r"adapter_model\.(bin|safetensors) is not what the run wrote.*rm -r"
    ) as told:
        checkpoints.newest()
    assert told.value.exit_code == 4
    shutil.rmtree(folder)
    assert checkpoints.newest().step == 4


def test_another_runs_is_refused(checkpoints, tmp_path):
    other = Checkpoints(tmp_path / "others", "other")
    other.write(8, fill)
    shutil.copytree(other.folder / "checkpoint-8", checkpoints.folder / "checkpoint-8")
    with pytest.raises(
        Mismatch, match="checkpoint-8 is another run's checkpoint: its seal says other, this run is mine"
    ):
        checkpoints.newest()


def test_a_disk_that_is_full_harms_none_that_stands(checkpoints):
    def full(folder):
        fill(folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        checkpoints.write(8, full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.write(6, full)
    assert [one.step for one in checkpoints.standing()] == [6, 4]
    assert checkpoints.newest().step == 6
    assert {path.name for path in checkpoints.folder.iterdir()} == {"checkpoint-4", "checkpoint-6"}


def test_the_sound_one_is_proven_by_the_step_after_it(checkpoints):
    """The loss of step 7 is made by the weights after step 6: where it is bad, step 6's are not to be trusted."""
    assert checkpoints.before(8).step == 6
    assert checkpoints.before(7).step == 4
    assert checkpoints.before(5) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), "cannot be written: .*Read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), "cannot be written: .*denied"),
    ],
)
def test_a_disk_that_takes_nothing_is_an_error_with_a_way_out(error, words):
    with pytest.raises(StorageError, match=f"step 4 {words}|step 4 cannot be written: {words}"):
        raise unwritable(error, "step 4", "Free some space.")


def test_other_errors_are_not_taken_for_a_full_disk():
    assert unwritable(ValueError("shape mismatch"), "step 4", "") is None
    assert unwritable(FileNotFoundError(errno.ENOENT, "No such file"), "step 4", "") is None
