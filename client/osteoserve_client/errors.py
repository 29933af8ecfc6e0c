"""Every error that the client raises on purpose, and the exit code of the command for each.

Messages are one line. They name the file (relative to what was asked for) or the slice, say what
is wrong and what would mend it, and never hold a patient's name, identifier, date or free text:
neither this package's words nor those of a library underneath, whose messages print values.
"""

from __future__ import annotations

from typing import ClassVar, Final

#: Exit code of a command that was interrupted, as shells have it for SIGINT.
INTERRUPTED: Final = 130


class OsteoserveError(Exception):
    """Root of all errors of this package.

    Attributes:
        exit_code: What the ``osteoserve`` command ends with: 1 unexpected failure, 2 usage,
            3 input refused, 4 service unavailable or busy, 5 service refused or failed,
            6 output could not be written, 7 some jobs of a batch failed.
        request_id: What the service's logs call the request; None where it did not reach one.
    """

    exit_code: ClassVar[int] = 1
    request_id: str | None = None


class UsageError(OsteoserveError, ValueError):
    """What was asked for does not exist, or is not asked for clearly enough."""

    exit_code = 2


class InputNotFoundError(UsageError):
    """The path does not exist, or may not be read."""


class SeriesChoiceError(UsageError):
    """Several series could be read and none, or one that is not there, was asked for."""


class ViewChoiceError(UsageError):
    """A bone scan does not state from where it shows the patient, and it was not said either."""


class InputError(OsteoserveError, ValueError):
    """Root of all refusals of an input: nothing is computed from it."""

    exit_code = 3


class NoImageError(InputError):
    """There is no file in the folder that could be an image of the kinds that are read."""


class UnreadableFileError(InputError):
    """A file is damaged, not of the format that its name says, or lacks what it must hold."""


class MissingAttributeError(UnreadableFileError):
    """A DICOM attribute without which the voxels have no place or no unit is absent or invalid."""


class MissingRescaleError(MissingAttributeError):
    """Rescale Slope and Intercept are absent: stored values cannot be turned into HU."""


class ModalityError(InputError):
    """The images are not CT."""


class LocalizerError(InputError):
    """The images are localizers (scouts, topograms), not slices."""


class DerivedImageError(InputError):
    """The images are screenshots or secondary captures, not slices measured by a scanner."""


class PixelFormatError(InputError):
    """The pixels are in colour, or their declared bit layout is impossible."""


class TransferSyntaxError(InputError):
    """No decoder here can decode the compression that the file uses."""


class PixelDataError(InputError):
    """Pixel data are truncated, damaged, or not of the size that the header declares."""


class DecompressionBoundError(PixelDataError):
    """A compressed file expands beyond the size that it declares, or beyond what is allowed."""


class MixedSeriesError(InputError):
    """What was selected as one series mixes several series or studies."""


class MixedPatientsError(MixedSeriesError):
    """What was selected as one series mixes patients."""


class MixedFrameOfReferenceError(MixedSeriesError):
    """What was selected as one series mixes frames of reference: positions do not compare."""


class InconsistentSlicesError(InputError):
    """Slices differ in size, pixel spacing or orientation, so they form no grid."""


class SlicePositionError(InputError):
    """Root of refusals because of where slices lie along their normal."""


class MissingSliceError(SlicePositionError):
    """A gap between two slices is a whole multiple of the spacing: slices are missing."""


class DuplicateSliceError(SlicePositionError):
    """Two slices lie at the same position."""


class IrregularSpacingError(SlicePositionError):
    """Distances between slices differ by more than 1 % of the spacing."""


class GantryTiltError(InputError):
    """Slices are sheared against their normal by more than 0.1 degree."""


class AffineError(InputError):
    """A file's own statements of where its voxels lie disagree, are absent, or are no grid."""


class DimensionError(InputError):
    """The image is not three-dimensional."""


class HounsfieldError(InputError):
    """Voxels are not Hounsfield units: NaN, infinite, out of range, or normalised values."""


class AcquisitionError(InputError):
    """Nuclear medicine images are no whole-body scan of a bone tracer's emission."""


class ViewError(InputError):
    """The views of a bone scan are stated twice, contradict each other, or are other views."""


class InconsistentViewsError(InputError):
    """The views of a bone scan differ in size or pixel spacing."""


class OrientationError(InputError):
    """How an image lies in its plane is stated in contradiction, or cannot be mended by a flip."""


class CountsError(InputError):
    """Pixels are no counts: negative, fractions, too large, all zero, or inverted grey."""


class LabelMapError(InputError):
    """A label map is none: values that are no labels, colours, or names that fit nothing."""


class GridMismatchError(InputError):
    """Two label maps do not lie on the same voxels of the patient."""


class HotSpotsError(InputError):
    """A mask of hot spots is none, or does not belong to the bone scan."""


class IncompleteSeriesError(InputError):
    """A series was not received whole: its sender broke off, or an instance was refused."""


class StudyMatchError(InputError):
    """A reference and the prediction that belongs to it cannot be found together."""


class FoldsError(InputError):
    """The table of folds cannot be read, or does not name every study once."""


class ServiceUnavailableError(OsteoserveError, ConnectionError):
    """The service does not answer, or is not ready."""

    exit_code = 4


class ServiceBusyError(ServiceUnavailableError):
    """The service runs and queues as many calls as it may; trying again later helps."""


class ServiceNotTrustedError(ServiceUnavailableError):
    """Client and service do not agree on TLS: one does not accept the other's certificate."""


class ServiceError(OsteoserveError):
    """The service refused the request or failed to answer it."""

    exit_code = 5


class ServiceRefusedError(ServiceError, ValueError):
    """The service found the request itself unacceptable; trying again does not help."""


class OutputError(OsteoserveError, OSError):
    """An output could not be written; none was left behind in part."""

    exit_code = 6


class NodeError(OsteoserveError):
    """The DICOM node could not go on; its spool is whole."""


class DeliveryError(OutputError):
    """A mask could not be sent to an archive; sending it again is harmless."""


class DeliveryRefusedError(DeliveryError):
    """An archive does not want a mask."""


class JobStoreError(OutputError):
    """The file that jobs are kept in cannot be written, is damaged, or is none of this version."""


class JobStoreHeldError(JobStoreError):
    """Another process works with the same jobs."""


class BatchIncompleteError(OsteoserveError):
    """Every job of a batch has ended, and some have failed."""

    exit_code = 7
