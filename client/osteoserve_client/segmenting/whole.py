"""The whole way of one input, and its first step, after which its kind no longer matters."""

from __future__ import annotations

from pathlib import Path

from osteoserve_client.reading import InputFiles, modality_of
from osteoserve_client.reading.files import Progress, unreported
from osteoserve_client.segmenting.options import Options
from osteoserve_client.segmenting.scintigram import ReadScan, read_scan
from osteoserve_client.segmenting.segmented import Segmented
from osteoserve_client.segmenting.volume import ReadVolume, read_volume
from osteoserve_client.service import ServiceClient
from osteoserve_client.service.answer import OnProgress


def segment_input(
    source: Path | InputFiles,
    output: Path,
    client: ServiceClient,
    *,
    options: Options | None = None,
    series: str | None = None,
    on_read: Progress | None = None,
    on_progress: OnProgress | None = None,
) -> Segmented:
    """Read one input, have it segmented and write its outputs.

    Args:
        source: What ``read_study`` or ``read_scintigram`` takes.
        output: Folder of the outputs; made where it is missing.
        client: Of the service to ask.
        options: How to segment; None takes the defaults.
        series: Which DICOM series, where there are several: an identifier or a UID.
        on_read: Called with units of reading done and to do.
        on_progress: Called with the service's progress messages.

    Raises:
        UsageError: The path or series does not exist, the choice of one is open, or an option is
            none.
        InputError: The input is refused.
        ServiceError: The service refused the request or failed.
        ServiceUnavailableError: It does not answer, or is busy.
        OutputError: An output could not be written.
    """
    read = read_input(source, options or Options(), series=series, on_progress=on_read)
    return read.ask(client, on_progress=on_progress).write(output)


def read_input(
    source: Path | InputFiles,
    options: Options,
    *,
    series: str | None = None,
    modality: str | None = None,
    on_progress: Progress | None = None,
) -> ReadVolume | ReadScan:
    """Read one input, of either kind; what follows is ``.ask(client).write(output)``.

    Not for several threads at once: it acts on the warnings of the whole process, and so does
    writing.

    Args:
        source: What ``read_study`` or ``read_scintigram`` takes.
        options: How it is to be segmented.
        series: Which DICOM series.
        modality: "CT" or "NM"; None looks.
        on_progress: Called with units of work done and to do.

    Raises:
        UsageError: The path or series does not exist, or the choice of one is open.
        InputError: The input is refused.
    """
    report = on_progress or unreported
    files = InputFiles.at(source, report)
    if (modality or modality_of(files, series=series)) == "NM":
        return read_scan(files, options, series=series, on_progress=report)
    return read_volume(files, options, series=series, on_progress=report)
