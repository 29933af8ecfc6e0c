from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from osteoserve_client.errors import OutputError
from osteoserve_client.writing.transaction import all_or_nothing

resource = pytest.importorskip("resource", reason="file size limits need a POSIX system")

OWNED = ("a.txt", "b.txt", "c.txt")


def writing(text: str):
    return lambda path: path.write_text(text)


def failing(path: Path) -> None:
    path.write_text("half")
    raise OSError(28, "No space left on device")


@contextmanager
def file_size_limit(octets: int) -> Iterator[None]:
    """No file may grow beyond this: the kernel refuses the write, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def attempt(out: Path, **writers: Callable[[Path], object]) -> None:
    """Write ``a.txt`` with the writer ``a``, and so on."""
    with all_or_nothing(out, owned=OWNED) as transaction:
        for name, writer in writers.items():
            transaction.write(f"{name}.txt", writer)
            assert not (out / f"{name}.txt").exists() or (out / f"{name}.txt").read_text() != "new"


def test_every_file_appears_and_nothing_else(tmp_path: Path) -> None:
    attempt(tmp_path / "new" / "folder", a=writing("new"), b=writing("new"))
    assert contents(tmp_path / "new" / "folder") == {"a.txt": "new", "b.txt": "new"}


def test_files_written_two_at_a_time_appear_together(tmp_path: Path) -> None:
    with all_or_nothing(tmp_path, owned=OWNED) as transaction:
        met = Barrier(2, timeout=30)

        def meeting(path: Path) -> None:
            met.wait()
            path.write_text("new")

        transaction.write_two_at_a_time({"a.txt": meeting, "b.txt": meeting})
        assert not set(OWNED) & {path.name for path in tmp_path.iterdir()}
    assert contents(tmp_path) == {"a.txt": "new", "b.txt": "new"}


def test_where_one_of_two_at_a_time_fails_none_appears(tmp_path: Path) -> None:
    out = tmp_path / "new"
    writers = {"a.txt": writing("new"), "b.txt": failing, "c.txt": writing("new")}
    with (
        pytest.raises(OutputError, match=r"b\.txt could not be written: No space left"),
        all_or_nothing(out, owned=OWNED) as transaction,
    ):
        transaction.write_two_at_a_time(writers)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_writer_leaves_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"b\.txt could not be written: No space left"):
        attempt(tmp_path / "new" / "folder", a=writing("new"), b=failing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError, ValueError])
def test_a_failure_of_any_other_kind_leaves_nothing_either(tmp_path: Path, failure) -> None:
    def failing_otherwise(path: Path) -> None:
        path.write_text("half")
        raise failure

    with pytest.raises(failure):
        attempt(tmp_path / "out", a=writing("new"), b=failing_otherwise)
    assert list(tmp_path.iterdir()) == []


def test_the_kernel_refusing_a_write_is_an_output_error_with_exit_code_6(tmp_path: Path) -> None:
    def too_long(path: Path) -> None:
        path.write_bytes(bytes(100_000))

    with (
        file_size_limit(10_000),
        pytest.raises(OutputError, match="File too large") as caught,
    ):
        attempt(tmp_path / "out", a=writing("new"), b=too_long)
    assert caught.value.exit_code == 6
    assert list(tmp_path.iterdir()) == []


def test_earlier_files_stay_as_they_were_when_a_writer_fails(tmp_path: Path) -> None:
    earlier = {"a.txt": "old", "notes.txt": "mine"}
    for name, text in earlier.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(OutputError):
        attempt(tmp_path, a=writing("new"), b=failing)
    assert contents(tmp_path) == earlier


def test_moves_that_were_made_are_undone_when_a_later_one_fails(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "b.txt").mkdir()
    (tmp_path / "b.txt" / "mine").write_text("kept")
    with pytest.raises(OutputError, match=r"b\.txt is a folder"):
        attempt(tmp_path, a=writing("new"), c=writing("new"))
    assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "b.txt" / "mine").read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_of_an_earlier_run_that_this_one_does_not_write_is_removed(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "notes.txt"):
        (tmp_path / name).write_text("old")
    attempt(tmp_path, a=writing("new"), c=writing("new"))
    assert contents(tmp_path) == {"a.txt": "new", "c.txt": "new", "notes.txt": "old"}


def test_a_file_where_the_folder_should_be_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        attempt(tmp_path / "file" / "out", a=writing("new"))
    assert contents(tmp_path) == {"file": "in the way"}


def test_a_killed_writer_leaves_no_file_of_that_name(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from osteoserve_client.writing.transaction import all_or_nothing\n"
        "with all_or_nothing(Path(sys.argv[1]), owned=('a.txt',)) as transaction:\n"
        "    transaction.write('a.txt', lambda path: path.write_text('whole'))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    assert done.returncode == -9
    assert not (tmp_path / "a.txt").exists()
    assert all(path.name.startswith(".osteoserve-") for path in tmp_path.iterdir())
