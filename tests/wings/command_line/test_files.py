from __future__ import annotations

from pathlib import Path

import pytest

from zchunk.wings.command_line.arguments import UsageError
from zchunk.wings.command_line.files import new_file


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def fail() -> None:
        with new_file(str(path), False) as draft:
            Path(draft).write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [*tmp_path.iterdir()] == []
    with new_file(str(path), False) as draft:
        Path(draft).write_text("whole")
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "out"
    with pytest.raises(UsageError, match=r"there is no folder '.*nowhere'"), new_file(str(path), False):
        pass
    path = tmp_path / "out"
    with pytest.raises(FileNotFoundError) as caught, new_file(str(path), False) as draft:
        Path(draft).read_bytes()
    assert caught.value.filename == str(path)


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(UsageError, match="--overwrite"), new_file(str(path), False):
        pass
    with pytest.raises(UsageError, match="is a folder"), new_file(str(tmp_path), True):
        pass
    with new_file(str(path), True) as draft:
        Path(draft).write_text("new")
    assert path.read_text() == "new"
