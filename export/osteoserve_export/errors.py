"""Every error that the export package raises on purpose."""


class ExportError(Exception):
    """Root of all errors of this package."""


class RecipeError(ExportError, ValueError):
    """A training recipe is incomplete, or says something impossible."""


class PairError(ExportError, ValueError):
    """An image and its labels cannot be used for training together."""


class SpecificationError(ExportError, ValueError):
    """An export is asked for with values that are missing or impossible."""


class ArchitectureError(ExportError, ValueError):
    """A network cannot be built, or cannot do what it is to be served for."""


class CheckpointError(ExportError, ValueError):
    """A checkpoint is not what this package saves, or does not fit the network."""


class ConversionError(ExportError):
    """A network, or an ONNX file, cannot be brought into the form that was asked for."""


class UnavailableError(ExportError):
    """This machine lacks what a conversion needs: a GPU, a driver, or a package."""


class ParityError(ExportError):
    """An exported model answers differently from the network it was made of."""


class PublishError(ExportError):
    """A model could not be written to the model repository."""


def in_one_line(error: BaseException) -> str:
    """The kind and the text of another library's error, without line breaks."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
