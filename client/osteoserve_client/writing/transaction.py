"""A set of files that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from osteoserve_client.durable import sync
from osteoserve_client.errors import OutputError


class Transaction:
    """Files written so far, none of them visible yet. Made by `all_or_nothing`.

    Args:
        staging: Folder on the file system of the outputs, where the files wait.
    """

    def __init__(self, staging: Path) -> None:
        self._staging = staging
        self.names: list[str] = []

    def write(self, name: str, writer: Callable[[Path], None]) -> None:
        """Have ``writer`` write the file ``name``, and see that it reached the disk.

        Args:
            name: Name of the file in the folder of the outputs.
            writer: Called with the path to write.

        Raises:
            OutputError: The file could not be written: disk full, quota, permission.
        """
        self._stage(name, writer)
        self.names.append(name)

    def write_two_at_a_time(self, writers: Mapping[str, Callable[[Path], None]]) -> None:
        """Write several files in two threads; where one fails, the others may be left out.

        Args:
            writers: By name of the file. Not more than one of them may act on the whole process,
                as whatever catches warnings does.

        Raises:
            OutputError: As for `write`.
        """
        with ThreadPoolExecutor(2) as pool:
            # Raises what a writer raised, and cancels those that were not begun.
            list(pool.map(self._stage, writers, writers.values()))
        self.names.extend(writers)

    def _stage(self, name: str, writer: Callable[[Path], None]) -> None:
        path = self._staging / name
        try:
            writer(path)
            sync(path)
        except OSError as error:
            raise _output_error(name, error) from error


@contextmanager
def all_or_nothing(out: Path, *, owned: Collection[str]) -> Iterator[Transaction]:
    """Write several files so that all appear, or none does and what was there stays as it was.

    The files are written and synced in a hidden folder inside ``out`` (so on its file system),
    and moved into place when the block ends. Should a move fail, those before it are undone.

    Args:
        out: Folder of the outputs; made where it is missing, and removed again on failure.
        owned: Every name that such a set may hold. One that an earlier run left and that this
            one does not write is removed, so that no file of another study stays beside these.

    Yields:
        What writes the files.

    Raises:
        OutputError: A file or folder could not be written; nothing new is left.
    """
    made = _make_folders(out)
    try:
        staging = Path(tempfile.mkdtemp(prefix=".osteoserve-", suffix=".partial", dir=out))
    except OSError as error:
        _remove_folders(made)
        raise _output_error("the folder of the outputs", error) from error
    try:
        transaction = Transaction(staging)
        yield transaction
        _publish(transaction.names, staging, out, owned)
    except BaseException:
        _discard(staging)
        _remove_folders(made)
        raise
    shutil.rmtree(staging)


def _publish(names: Collection[str], staging: Path, out: Path, owned: Collection[str]) -> None:
    earlier = staging / "earlier"
    moves = [(out / name, earlier / name) for name in owned if os.path.lexists(out / name)]
    moves += [(staging / name, out / name) for name in names]
    begun: list[tuple[Path, Path]] = []
    try:
        earlier.mkdir()
        for source, target in moves:
            _refuse_folder(source)
            begun.append((source, target))
            source.replace(target)
        sync(out)
    except BaseException as error:
        for source, target in reversed(begun):
            # A source that is still there was not moved, the last one at most.
            if not os.path.lexists(source):
                target.replace(source)
        if isinstance(error, OSError):
            raise _output_error("the set of outputs", error) from error
        raise


def _refuse_folder(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise OutputError(f"{path.name} is a folder in the folder of the outputs; move it away")


def _discard(staging: Path) -> None:
    """Remove the hidden folder, unless undoing failed and it holds the only copy of a file."""
    earlier = staging / "earlier"
    if earlier.is_dir() and any(earlier.iterdir()):
        return
    shutil.rmtree(staging, ignore_errors=True)


def _make_folders(out: Path) -> list[Path]:
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    made: list[Path] = []
    try:
        for folder in reversed(missing):
            folder.mkdir()
            made.append(folder)
    except OSError as error:
        _remove_folders(made)
        raise _output_error("the folder of the outputs", error) from error
    return made


def _remove_folders(made: list[Path]) -> None:
    for folder in reversed(made):
        if any(folder.iterdir()):
            return
        folder.rmdir()


def _output_error(what: str, error: OSError) -> OutputError:
    if isinstance(error, OutputError):
        return error
    return OutputError(f"{what} could not be written: {_reason(error)}")


def _reason(error: OSError) -> str:
    """The system's own words, which pydicom wraps in others that may quote values."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
