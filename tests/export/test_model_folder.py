"""Whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from osteoserve_export.errors import PublishError
from osteoserve_export.model_folder import new_model_folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(repository: Path, version: int, text: str) -> None:
    with new_model_folder(repository, "box", version) as temporary:
        (temporary / "box" / str(version) / "model.onnx").write_text(text)
        (temporary / "box" / "config.pbtxt").write_text(f"version {version}")


def test_a_model_appears_where_there_was_no_repository(tmp_path: Path) -> None:
    write(tmp_path / "new" / "repository", 1, "first")
    assert contents(tmp_path / "new" / "repository") == {
        "box/1/model.onnx": b"first",
        "box/config.pbtxt": b"version 1",
    }


def test_another_version_keeps_the_first(tmp_path: Path) -> None:
    write(tmp_path, 1, "first")
    write(tmp_path, 2, "second")
    assert contents(tmp_path) == {
        "box/1/model.onnx": b"first",
        "box/2/model.onnx": b"second",
        "box/config.pbtxt": b"version 2",
    }


def test_a_version_that_exists_is_not_written_again(tmp_path: Path) -> None:
    write(tmp_path, 1, "first")
    before = contents(tmp_path)
    with pytest.raises(PublishError, match="version 1 already"):
        write(tmp_path, 1, "second")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("existing", [False, True])
def test_whatever_fails_inside_leaves_everything_as_it_was(tmp_path: Path, existing: bool) -> None:
    if existing:
        write(tmp_path, 1, "first")
    before = contents(tmp_path)

    def fail_half_way() -> None:
        with new_model_folder(tmp_path, "box", 2) as temporary:
            (temporary / "box" / "2" / "model.onnx").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert contents(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"box"}


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with (
        pytest.raises(PublishError, match="No space left") as caught,
        new_model_folder(tmp_path, "box", 1),
    ):
        full.write_text("as much as there is")
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_repository_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishError, match="could not be written"):
        write(tmp_path / "file", 1, "first")
