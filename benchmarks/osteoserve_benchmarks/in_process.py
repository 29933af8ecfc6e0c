"""The service's work without a service: the same code and the same engine, in this process.

From a volume in memory to its label map and measures in memory. What the whole call through gRPC,
service and Triton takes longer than this is what serving costs.
"""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from osteoserve_benchmarks.way import Stages
from osteoserve_client.cli.segment.stages import Times
from osteoserve_client.reading import read_study
from osteoserve_preprocessing.core import (
    Preprocessed,
    PreprocessingOptions,
    Section,
    canonical_orientation,
    measure_labels,
    preprocess,
    spans,
)
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.inference import SegmentationContract, contract_from_config
from osteoserve_preprocessing.profiles import AUTO, chosen_profile, configuration_file
from osteoserve_preprocessing.server.choices import sampling_for
from osteoserve_preprocessing.triton.backends.onnxruntime.onnx_engines import (
    Engine,
    EngineRequest,
    Parts,
    joined,
    open_engine,
)

#: Sections that the engine has at a time, so that it never waits.
UNDER_WAY: Final = 2


class InProcess:
    """Preprocessing, engine and measures, with the engine open.

    Args:
        folder: The model's folder in the repository.
        profile: Whose configuration says which engine; "auto" as for a service.
    """

    def __init__(self, folder: Path, profile: str = AUTO) -> None:
        configuration = configuration_file(folder, chosen_profile(profile))
        config = text_format.Parse(
            configuration.read_text(encoding="utf-8"), model_config_pb2.ModelConfig()
        )
        (version,) = config.version_policy.specific.versions
        contract = contract_from_config(config, str(version))
        if not isinstance(contract, SegmentationContract):
            raise TypeError(f"{folder.name} labels no slices")
        self._contract = contract
        self._engine = _engine(folder, config, contract)
        self._read: tuple[Path, Volume] | None = None

    def run(self, study: Path, out: Path) -> Stages:
        """Compute a study's label map; reading it is not timed, and nothing is written."""
        del out
        volume = self._volume(study)
        orientation = canonical_orientation(volume.geometry)
        times = Times()
        prepared = times.measured(
            "preprocess", lambda: preprocess(orientation.volume(volume), self._options())
        )
        labels = times.measured("inference", lambda: self._label(prepared))
        names = {label.value: label.name for label in self._contract.labels}
        times.measured(
            "measure",
            lambda: measure_labels(
                np.ascontiguousarray(orientation.restore(labels)),
                volume.voxels,
                volume.geometry,
                names,
            ),
        )
        return times

    def asked(self, study: Path) -> dict[tuple[int, int], int]:
        """How many slices of a study the network is asked, by their (H, W)."""
        volume = self._volume(study)
        canonical = canonical_orientation(volume.geometry).volume(volume)
        prepared = preprocess(canonical, self._options())
        sampling = sampling_for(prepared.geometry, self._contract)
        asked: Counter[tuple[int, int]] = Counter()
        for span in spans(prepared.clip):
            count, *matrix = Section(prepared.grey.of(span), sampling).seen.shape
            asked[matrix[0], matrix[1]] += count
        return dict(asked)

    def served(self) -> tuple[str, str, str]:
        """Version, precision and digest of the model."""
        return self._contract.version, self._contract.answered_in, self._contract.digest

    def _options(self) -> PreprocessingOptions:
        return PreprocessingOptions(
            window=self._contract.window, normalisation=self._contract.normalisation
        )

    def _label(self, prepared: Preprocessed) -> npt.NDArray[np.uint8]:
        sampling = sampling_for(prepared.geometry, self._contract)
        labels = np.zeros(prepared.geometry.shape, np.uint8)
        under_way: deque[tuple[range, Section, Parts]] = deque()

        def take() -> None:
            span, section, begun = under_way.popleft()
            answer = joined(begun)[self._contract.output_name]
            labels[span.start : span.stop] = section.labels(answer, self._contract.label_values[-1])

        for span in spans(prepared.clip):
            section = Section(prepared.grey.of(span), sampling)
            if not len(section.seen):
                continue
            begun = self._engine.begin({self._contract.input_name: section.seen}, batched=True)
            under_way.append((span, section, begun))
            if len(under_way) == UNDER_WAY:
                take()
        while under_way:
            take()
        return labels

    def _volume(self, study: Path) -> Volume:
        if self._read is None or self._read[0] != study:
            self._read = study, read_study(study).volume
        return self._read[1]


def _engine(
    folder: Path, config: model_config_pb2.ModelConfig, contract: SegmentationContract
) -> Engine:
    """The engine that Triton's backend opens for this configuration on the CPU."""
    accelerators = config.optimization.execution_accelerators.cpu_execution_accelerator
    threads = config.parameters["intra_op_thread_count"].string_value
    return open_engine(
        EngineRequest(
            model=folder / contract.version / config.default_model_filename,
            outputs=contract.output_names,
            kind="CPU",
            device=0,
            accelerators=tuple((each.name, dict(each.parameters)) for each in accelerators),
            precision=contract.precision,
            threads=int(threads or 0) or None,
        )
    )
