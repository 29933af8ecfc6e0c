"""Which model each kind of input goes to."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from osteoserve_client.errors import UsageError
from osteoserve_client.segmenting.options import MODELS
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


def only_model(named: Sequence[str], modalities: Collection[str]) -> str | None:
    """The one model that is needed; None where there may be several."""
    if len(modalities) != 1 or len(named) > 1:
        return None
    (modality,) = modalities
    return named[0] if named else MODELS[modality]


def models_of(
    client: ServiceClient, named: Sequence[str], modalities: Collection[str]
) -> dict[str, str]:
    """The model for each modality, as the service itself says what a model is for.

    Args:
        client: Of the service.
        named: Models that were asked for.
        modalities: Of the inputs.

    Raises:
        UsageError: Two are for the same modality.
        ServiceRefusedError: The service has no such model, or does not let this client ask.
    """
    chosen: dict[str, str] = {}
    for name in named:
        modality = pb.Modality.Name(client.model(name).modality).removeprefix("MODALITY_")
        if modality in chosen:
            raise UsageError(f"{chosen[modality]} and {name} are both for {modality}: name one")
        chosen[modality] = name
    for modality in modalities:
        if modality not in chosen:
            chosen[modality] = client.model(MODELS[modality]).name
    return chosen
