"""Everything that must survive: received instances, and the folders of jobs.

Names are digests. An instance that the spool has taken is on the disk; what is on the disk is the
only record of what was received.

    incoming/                     what arrives just now; emptied at the start
    received/STUDY/SERIES/*.dcm   a series that is not complete yet
    received/STUDY/SERIES/.open-* one for each association that brought of it and is not released
    received/STUDY/SERIES/.lacks-* one for each instance of it that was refused
    jobs/JOB/input/*.dcm          what is, or was, segmented together
    jobs/JOB/result/              its masks
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, time

from osteoserve_client.durable import sync
from osteoserve_client.errors import UsageError
from osteoserve_client.node.durable import bytes_below, make_folder
from osteoserve_client.node.instances import Instance, SeriesKey

_OPEN, _LACKS = ".open-", ".lacks-"


class Spool:
    """A folder that one node owns: whoever opens it holds the store of its jobs.

    Args:
        root: Where; made where it does not exist.
        abandoned_s: A file in ``incoming`` to which nothing was added for so long is nobody's.

    Raises:
        UsageError: It cannot be written.
    """

    def __init__(self, root: Path, *, abandoned_s: float) -> None:
        self.incoming, self._received = root / "incoming", root / "received"
        self._jobs, self._abandoned_s = root / "jobs", abandoned_s
        try:
            for folder in (self.incoming, self._received, self._jobs):
                make_folder(folder)
        except OSError as error:
            raise UsageError(f"the spool {root} cannot be used: {error.strerror}") from error
        # Guards the moment in which a file, or a whole series, changes its place.
        self._moving = threading.Lock()
        for left in self.incoming.iterdir():
            left.unlink()
        for deleted in self._jobs.glob(".*"):
            shutil.rmtree(deleted)
        self._used = 0
        self._opened, self._arrivals = monotonic(), dict[SeriesKey, float]()
        self.measure()

    @property
    def used(self) -> int:
        """Bytes that it occupies; what arrives just now is not counted."""
        return self._used

    def measure(self) -> None:
        """Count again, after something was deleted."""
        used = bytes_below(self._received) + bytes_below(self._jobs)
        with self._moving:
            self._used = used

    def sweep_incoming(self) -> None:
        """Delete what an association left that ended in the middle of an instance."""
        for path in self.incoming.iterdir():
            with suppress(FileNotFoundError):
                if time() - path.stat().st_mtime > self._abandoned_s:
                    path.unlink()

    def store(self, arrived: Path, instance: Instance, *, association: str) -> bool:
        """Take an instance; it is on the disk when this returns.

        Args:
            arrived: A file in ``incoming``; it is moved.
            instance: Whose it is.
            association: Which one brought it.

        Returns:
            Whether it was not there yet.

        Raises:
            OSError: The disk is full or broken. Nothing was taken.
        """
        sync(arrived)
        folder = self._folder(instance.series)
        target = folder / f"{instance.name}.dcm"
        with self._moving:
            make_folder(folder)
            (folder / f"{_OPEN}{association}").touch()
            new = not target.exists()
            size = arrived.stat().st_size - (0 if new else target.stat().st_size)
            arrived.replace(target)
            self._arrivals[instance.series] = monotonic()
            (folder / f"{_LACKS}{instance.name}").unlink(missing_ok=True)
            self._used += size
            # By its descriptor: the folder may be moved before its entries are on the disk.
            descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return new

    def lacks(self, instance: Instance) -> None:
        """Note that an instance was refused: its series is not whole until it comes again.

        Raises:
            OSError: It could not be noted.
        """
        folder = self._folder(instance.series)
        with self._moving:
            make_folder(folder)
            (folder / f"{_LACKS}{instance.name}").touch()
            sync(folder)

    def received(self) -> Iterator[SeriesKey]:
        """Series of which something is there and not yet in a job."""
        for study in sorted(self._received.iterdir()):
            for series in sorted(study.iterdir()):
                yield SeriesKey(study.name, series.name)

    def quiet_s(self, series: SeriesKey) -> float:
        """How long nothing has come of a series, in seconds; since the start, where that is less.

        Not by the files' times: clocks are set, and a node that was down has heard nothing.
        """
        return monotonic() - self._arrivals.get(series, self._opened)

    def names(self, series: SeriesKey) -> frozenset[str]:
        """Which instances of a series are there and not yet in a job."""
        return names_in(self._folder(series))

    def lacks_any(self, series: SeriesKey) -> bool:
        """Whether an instance of it was refused and has not come again."""
        return _has_marker(self._folder(series), _LACKS)

    def is_broken_off(self, series: SeriesKey, *, living: Collection[str]) -> bool:
        """Whether an association that brought of it has ended otherwise than it should.

        Args:
            series: Which.
            living: Associations that have not ended.
        """
        return _has_marker(self._folder(series), _OPEN, without=living)

    def is_arriving(self, series: SeriesKey, *, living: Collection[str]) -> bool:
        """Whether an association that brought of it has not ended."""
        folder = self._folder(series)
        return any((folder / f"{_OPEN}{association}").exists() for association in living)

    def released(self, study: str, *, living: Collection[str]) -> None:
        """Note that a sender has ended as it should: it is not expected to bring more of a study.

        What earlier associations left open is closed as well: a sender that had broken off has
        come back.

        Args:
            study: Digest of its UID.
            living: Associations that have not ended.
        """
        for marker in (self._received / study).glob(f"*/{_OPEN}*"):
            if marker.name.removeprefix(_OPEN) not in living:
                marker.unlink(missing_ok=True)

    def add_from(self, series: SeriesKey, job: str) -> None:
        """Add what an earlier job still holds of a series and was not received again."""
        folder = self._folder(series)
        for path in self.input_of(job).glob("*.dcm"):
            if not (folder / path.name).exists():
                (folder / path.name).hardlink_to(path)
        sync(folder)

    def take(self, series: SeriesKey, job: str, expected: Collection[str]) -> bool:
        """Give a series to a job: what comes from now on is not part of it.

        Its markers go with it.

        Args:
            series: Which.
            job: Name of the job's folder.
            expected: The instances that it is to hold.

        Returns:
            Whether it did; not, where more has come.
        """
        folder, home = self._folder(series), self._jobs / job
        make_folder(home)
        with self._moving:
            if names_in(folder) != frozenset(expected):
                return False
            folder.rename(home / "input")
            sync(home)
            self._arrivals.pop(series, None)
        sync(folder.parent)
        self._prune(series.study)
        return True

    def discard(self, series: SeriesKey, expected: Collection[str]) -> None:
        """Delete what was received of a series, unless more has come."""
        with self._moving:
            if names_in(self._folder(series)) == frozenset(expected):
                shutil.rmtree(self._folder(series))
                self._arrivals.pop(series, None)
        self._prune(series.study)
        self.measure()

    def jobs(self) -> list[str]:
        """Jobs that have a folder."""
        return sorted(home.name for home in self._jobs.iterdir())

    def input_of(self, job: str) -> Path:
        """What a job segments; the folder is absent once its data were deleted."""
        return self._jobs / job / "input"

    def result_of(self, job: str) -> Path:
        """Where its masks are."""
        return self._jobs / job / "result"

    def job_is_held(self, job: str, *, release: bool) -> bool:
        """Whether a job was made of a series that its sender had not ended as it should.

        Args:
            job: Which; no association from the time of its making may be alive.
            release: Whether the association must have been released.
        """
        folder = self.input_of(job)
        return _has_marker(folder, _LACKS) or (release and _has_marker(folder, _OPEN))

    def delete_job(self, job: str) -> None:
        """Delete a job's files, where it has any."""
        home = self._jobs / job
        if home.exists():
            # At once by name: half a series must never be found by that name.
            gone = home.rename(home.with_name(f".{job}"))
            shutil.rmtree(gone)
            self.measure()

    def _folder(self, series: SeriesKey) -> Path:
        return self._received / series.study / series.series

    def _prune(self, study: str) -> None:
        with self._moving:
            folder = self._received / study
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()


def names_in(folder: Path) -> frozenset[str]:
    """Digests of the instances in a folder."""
    return frozenset(path.stem for path in folder.glob("*.dcm"))


def _has_marker(folder: Path, kind: str, *, without: Collection[str] = ()) -> bool:
    return any(path.name.removeprefix(kind) not in without for path in folder.glob(f"{kind}*"))
