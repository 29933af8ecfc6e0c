"""One thing to segment, and what it is called where nobody may learn whose it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from osteoserve_client.reading import InputFiles
from osteoserve_client.reading.files import display_name

#: Their voxels lie in another file, so that two of them can be the same and mean others.
_DETACHED = (".nhdr", ".mhd")
_KEY_DIGITS = 16


@dataclass(frozen=True)
class BatchInput:
    """One input of a batch.

    Args:
        key: Its job's key and the name of its folder: a digest, nothing of the patient.
        modality: "CT" or "NM"; None where reading has to say what is wrong with it.
        root: The folder that holds its files, or the one file.
        files: DICOM files; empty where the root is a file, or everything in it counts.
        fingerprint: Changes when files are added or change their sizes.
        number: Series Number.
    """

    key: str
    modality: str | None
    root: Path
    files: tuple[Path, ...]
    fingerprint: str
    number: int | None = None

    @property
    def shown(self) -> str:
        """How a person at the terminal finds it; may hold what they named after a patient."""
        place = display_name(self.root, Path.cwd())
        return place if self.number is None else f"{place} (series {self.number})"

    def opened(self) -> InputFiles:
        """For reading."""
        return InputFiles(self.root, only=self.files or None)


def input_of_one(path: Path, modality: str) -> BatchInput:
    """The input that is one file."""
    with path.open("rb") as file:
        identity = ["file", hashlib.file_digest(file, "sha256").hexdigest()]
    if path.name.lower().endswith(_DETACHED):
        identity.append(os.fsdecode(path.resolve()))
    return BatchInput(_key(modality, identity), modality, path, (), _fingerprint(path, (path,)))


def input_of_files(
    files: Sequence[Path],
    modality: str | None,
    identity: Sequence[str],
    *,
    root: Path | None = None,
    number: int | None = None,
) -> BatchInput:
    """The input that is some DICOM files.

    Args:
        files: In the order of their paths.
        modality: "CT" or "NM", or None.
        identity: What tells it from all others; where empty, its paths do.
        root: Folder of the files; None finds it.
        number: Series Number.
    """
    root = root or Path(os.path.commonpath([path.parent for path in files]))
    own = identity or [os.fsdecode(path.resolve()) for path in (root, *files)]
    return BatchInput(
        key=_key(modality, own),
        modality=modality,
        root=root,
        files=tuple(files) if root.is_dir() else (),
        fingerprint=_fingerprint(root, files),
        number=number,
    )


def _key(modality: str | None, identity: Iterable[str]) -> str:
    digest = hashlib.sha256("\0".join(identity).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{(modality or 'input').lower()}-{digest[:_KEY_DIGITS]}"


def _fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Of names and sizes: an archive that was copied or restored has other times."""
    digest = hashlib.sha256()
    for path in files:
        name = os.path.relpath(path, root)
        digest.update(f"{name}\0{path.stat().st_size}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:_KEY_DIGITS]
