"""Every error that the preprocessing package raises on purpose.

Messages are one line, name the slice, the axis or the option at fault, and never a patient.
"""


class PreprocessingError(Exception):
    """Root of all errors of this package."""


class GeometryError(PreprocessingError, ValueError):
    """The grid of a volume is impossible, or not one that can be segmented safely."""


class VoxelError(PreprocessingError, ValueError):
    """The voxels are not Hounsfield units: wrong dtype, NaN, or values that no CT has."""


class ScintigramError(PreprocessingError, ValueError):
    """The views of a bone scan are missing, empty, or of shapes that do not fit."""


class OptionError(PreprocessingError, ValueError):
    """An option has a value that is not one of those documented."""


class UploadError(PreprocessingError, ValueError):
    """A stream broke the protocol: order, size, byte count or digest."""


class SharedMemoryError(UploadError):
    """Memory that a caller says it shares is not there, or not for the service to see."""


class StreamTimeoutError(PreprocessingError, TimeoutError):
    """The other end sent, or took, nothing for longer than is allowed."""


class ModelError(PreprocessingError):
    """Root of errors about a served model."""


class ModelNotFoundError(ModelError, LookupError):
    """Triton serves no model of that name."""


class ContractError(ModelError, ValueError):
    """A model's configuration lacks, or misstates, what the service must know about it."""


class DigestError(ModelError):
    """A model file is not the one that its configuration names."""


class TritonError(PreprocessingError):
    """Root of errors of talking to, or running, Triton."""


class TritonUnavailableError(TritonError, ConnectionError):
    """Triton does not answer."""


class TritonStartError(TritonError):
    """The embedded Triton could not be started."""


class InferenceError(TritonError):
    """Triton answered, but not with a usable result."""


class InferenceTimeoutError(InferenceError, TimeoutError):
    """Triton took longer than it was given."""


class BusyError(PreprocessingError):
    """As many calls are running and waiting as are allowed."""
