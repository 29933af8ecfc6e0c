"""A model's folder in the Triton repository: whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osteoserve_export.errors import PublishError


@contextmanager
def new_model_folder(repository: Path, name: str, version: int) -> Iterator[Path]:
    """A repository of one folder to write a model into, moved to its place at the end.

    Other versions of the model are kept, so that the version before can be served again by its
    configuration. Where anything is raised inside, ``repository`` stays as it was.

    Args:
        repository: Triton model repository; made where it is missing.
        name: Of the model.
        version: The version that is to be written.

    Yields:
        A temporary repository that holds ``name/version/`` (empty) and the other versions.

    Raises:
        PublishError: The version exists, or the files cannot be written.
    """
    place = repository / name
    if (place / str(version)).exists():
        raise PublishError(f"{place} has a version {version} already: choose another --version")
    try:
        with _made(repository), _written(repository, name, version) as new:
            yield new
    except OSError as error:
        raise PublishError(f"{place} could not be written: {error.strerror or error}") from error


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder, and take it away again where what it was made for fails."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for each in missing:
            if any(each.iterdir()):
                break
            each.rmdir()
        raise


@contextmanager
def _written(repository: Path, name: str, version: int) -> Iterator[Path]:
    place = repository / name
    # Hidden, so that a Triton that polls the repository never takes it for a model.
    with tempfile.TemporaryDirectory(dir=repository, prefix=".export-") as temporary:
        folder = Path(temporary) / "new" / name
        folder.mkdir(parents=True)
        for other in _versions(place):
            shutil.copytree(other, folder / other.name)
        (folder / str(version)).mkdir()
        yield folder.parent
        _replace(folder, place)


def _versions(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return [path for path in place.iterdir() if path.is_dir() and path.name.isdecimal()]


def _replace(new: Path, place: Path) -> None:
    """Move a folder to its place; what was there is put back if that fails."""
    old = new.parent.parent / "old"
    if not place.exists():
        new.replace(place)
        return
    place.replace(old)
    try:
        new.replace(place)
    except OSError:
        old.replace(place)
        raise
