"""Our way: the client's own reading and writing, and between them a warm service with Triton."""

from __future__ import annotations

from pathlib import Path

from osteoserve_benchmarks.way import MODEL, Stages
from osteoserve_client.cli.segment.stages import Times
from osteoserve_client.reading import read_study
from osteoserve_client.service import Credentials, ServiceClient
from osteoserve_client.writing import check_study, write_outputs


class Ours:
    """What ``osteoserve segment --server`` does, start of the command left out.

    Args:
        address: "HOST:PORT" of a service that is ready.
        credentials: What it asks for.
    """

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        self._client = ServiceClient(address, credentials=credentials)

    def run(self, study: Path, out: Path) -> Stages:
        """See `Way.run`; more is written than by the other ways: report, table and picture too.

        The service's own stages are "service.NAME"; what "service" holds beyond their sum is
        transfer and framing.
        """
        times = Times()
        found = times.measured("read", lambda: read_study(study))
        check_study(found)
        labels, report = times.measured(
            "service", lambda: self._client.segment(found.volume, model=MODEL)
        )
        times.measured("write", lambda: write_outputs(found, labels, report, out))
        for stage in report.stages:
            if stage.stage != "total":
                times[f"service.{stage.stage}"] = stage.seconds
        return times

    def served(self) -> tuple[str, str, str]:
        """Version, precision and digest of the model that answers."""
        model = self._client.model(MODEL)
        return model.version, model.precision, model.digest
