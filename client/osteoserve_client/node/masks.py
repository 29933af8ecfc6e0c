"""From a series to its segmentation objects, by the one way that ``osteoserve segment`` goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from threading import Lock

from osteoserve_client.errors import SeriesChoiceError, ServiceBusyError, ServiceUnavailableError
from osteoserve_client.reading import InputFiles, list_series
from osteoserve_client.segmenting.options import Options
from osteoserve_client.segmenting.scintigram import ReadScan
from osteoserve_client.segmenting.volume import ReadVolume
from osteoserve_client.segmenting.whole import read_input
from osteoserve_client.service import ServiceClient

#: What an output is called that goes back to the archive.
_SUFFIX = ".seg.dcm"

Connect = Callable[[], AbstractContextManager[ServiceClient]]


class Masks:
    """Makes segmentation objects; safe among threads.

    Args:
        connect: Makes a client of the service. Called when one is first needed, and again after
            the service was not there.
        ct: How to segment CT.
        nm: How to segment bone scans.
    """

    def __init__(self, connect: Connect, *, ct: Options, nm: Options) -> None:
        self._connect, self._ct, self._nm = connect, ct, nm
        self._client: ServiceClient | None = None
        self._users, self._changing = 0, Lock()
        self._open = ExitStack()
        # Reading and writing act on the warnings of the whole process.
        self._files = Lock()

    def close(self) -> None:
        """Let the service go."""
        with self._changing:
            self._drop()

    def read(self, folder: Path, *, nuclear: bool) -> list[ReadVolume | ReadScan]:
        """Read what a folder holds.

        Args:
            folder: Of a CT series, or of the bone scans of a study.
            nuclear: Which of them.

        Returns:
            One; of a study with several bone scans, each.

        Raises:
            OsteoserveError: As `read_input`.
        """
        options = self._nm if nuclear else self._ct
        with self._files:
            files = InputFiles(folder)
            try:
                return [read_input(files, options)]
            except SeriesChoiceError:
                usable = [each for each in list_series(folder) if not each.refusal]
                if len(usable) < 2:
                    raise
                return [read_input(files, options, series=each.identifier) for each in usable]

    def make(self, folder: Path, result: Path, *, nuclear: bool) -> tuple[str, ...]:
        """Read a folder, have it segmented and write what comes of it.

        Args:
            folder: As of `read`.
            nuclear: Likewise.
            result: Folder for the outputs.

        Returns:
            Paths of the segmentation objects in ``result``.

        Raises:
            OsteoserveError: As `segment_input`.
        """
        made = []
        for number, read in enumerate(self.read(folder, nuclear=nuclear)):
            with self._service() as client:
                answered = read.ask(client)
            with self._files:
                written = answered.write(result / str(number)).paths
            made += [str(path.relative_to(result)) for path in written if _is_mask(path)]
        return tuple(made)

    @contextmanager
    def _service(self) -> Iterator[ServiceClient]:
        with self._changing:
            if self._client is None:
                self._client = self._open.enter_context(self._connect())
            client = self._client
            self._users += 1
        lost = False
        try:
            yield client
        except ServiceUnavailableError as error:
            lost = not isinstance(error, ServiceBusyError)
            raise
        finally:
            with self._changing:
                self._users -= 1
                if lost and not self._users:
                    self._drop()

    def _drop(self) -> None:
        self._client = None
        self._open.close()


def _is_mask(path: Path) -> bool:
    return path.name.endswith(_SUFFIX)
