"""What may be asked for. Light: a command shows its defaults without loading what reads images."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

#: Which model is asked, by modality, where nothing else is said.
MODELS: Final = MappingProxyType({"CT": "unet_skeleton", "NM": "mask_rcnn_scintigraphy"})


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to segment; an input takes those of its own modality and passes over the others.

    Args:
        model: Which model to ask; None takes the default of the input's modality.
        stretcher: CT: how to remove the scanner's table: "body", "milara" or "none".
        normalisation: CT: "interpatient" or "inpatient"; None takes what the model was trained
            with.
        clip: CT: leave out what is below the femora and the head.
        resample_tilt: CT: resample the slices of a tilted gantry, which are refused otherwise.
        view: Scans: what the frames show, in their order, where the file does not say.
        brightness: Scans: factor of grey; None takes the service's default.
        retry: Scans: let the service try again, brighter, where regions are missing.
        trust_views: Scans: answer, with a warning, where the picture speaks against views.
    """

    model: str | None = None
    stretcher: str = "body"
    normalisation: str | None = None
    clip: bool = False
    resample_tilt: bool = False
    view: str | None = None
    brightness: float | None = None
    retry: bool = True
    trust_views: bool = False

    def model_for(self, modality: str) -> str:
        """The model to ask about an input of that modality, "CT" or "NM"."""
        return self.model or MODELS[modality]
