"""What a caller can choose about preprocessing, and nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from osteoserve_preprocessing.errors import OptionError

INT16_MIN, INT16_MAX = -32768, 32767


class StretcherMethod(Enum):
    """How the scanner table is found."""

    #: Remove nothing.
    NONE = "none"
    #: Three margin lines and eight bands (Milara 2024, "Stretcher removal").
    MILARA = "milara"
    #: Keep what belongs to the patient's body, found in 3-D (docs/decisions/0002).
    BODY = "body"


class Normalisation(Enum):
    """Which grey values become 0 and 255 (Milara 2024, equation 1, experiments A and B)."""

    #: The window's own limits, the same for every patient.
    INTERPATIENT = "interpatient"
    #: The volume's own minimum and maximum inside the window.
    INPATIENT = "inpatient"


@dataclass(frozen=True)
class Window:
    """A range of HU; what lies outside is set to the nearer limit (Milara 2024, "Thresholding").

    Args:
        lower: HU, at and below which every value is the same.
        upper: HU, at and above which every value is the same.

    Raises:
        OptionError: The limits are not whole int16 numbers, or not in ascending order.
    """

    lower: int = 0
    upper: int = 300

    def __post_init__(self) -> None:
        limits = (self.lower, self.upper)
        if any(isinstance(limit, bool) or int(limit) != limit for limit in limits):
            raise OptionError(f"window limits must be whole numbers of HU, not {limits}")
        if not INT16_MIN <= self.lower < self.upper <= INT16_MAX:
            raise OptionError(f"window limits must be ascending int16 HU, not {limits}")
        object.__setattr__(self, "lower", int(self.lower))
        object.__setattr__(self, "upper", int(self.upper))


@dataclass(frozen=True, kw_only=True)
class PreprocessingOptions:
    """How a volume is preprocessed.

    Args:
        stretcher: How the scanner table is found.
        window: Range of HU that the network sees.
        normalisation: Which grey values become 0 and 255.
        clip_femur_to_head: Blank the slices below the first femur slice and those of the head
            (Milara 2024, "Image Clipping").
    """

    stretcher: StretcherMethod = StretcherMethod.BODY
    window: Window = Window()
    normalisation: Normalisation = Normalisation.INTERPATIENT
    clip_femur_to_head: bool = False
