"""Times of the stages, bars of the service's progress, and the last words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import click

from osteoserve_client.cli.progress import Advance

if TYPE_CHECKING:
    from osteoserve_client.segmenting.segmented import Segmented
    from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

Result = TypeVar("Result")


class Times(dict[str, float]):
    """Seconds that each stage took."""

    def measured(self, stage: str, call: Callable[[], Result]) -> Result:
        """Run a stage, or a further part of it."""
        start = perf_counter()
        result = call()
        self[stage] = self.get(stage, 0.0) + perf_counter() - start
        return result

    def line(self, subject: str, inside: Iterable[pb.StageTime]) -> str:
        """One line for a person.

        Args:
            subject: What was segmented, as "120 slices".
            inside: The service's own stages.
        """
        stages = ", ".join(f"{s.stage} {s.seconds:.2f}" for s in inside if s.stage != "total")
        return (
            f"{subject} in {sum(self.values()):.2f} s: read {self['read']:.2f}, service "
            f"{self['service']:.2f} ({stages}), write {self['write']:.2f}"
        )

    def rounded(self) -> dict[str, float]:
        """For a program."""
        return {name: round(seconds, 3) for name, seconds in self.items()}


def shown(advance: Advance) -> Callable[[pb.Progress], None]:
    """Draw the service's progress messages as bars."""
    from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

    names = {
        pb.Progress.STAGE_QUEUED: "Queued",
        pb.Progress.STAGE_RECEIVING: "Sending",
        pb.Progress.STAGE_PREPROCESSING: "Preprocessing",
        pb.Progress.STAGE_INFERENCE: "Segmenting",
    }

    def show(progress: pb.Progress) -> None:
        if progress.stage in names:
            advance(names[progress.stage], progress.done, progress.total)

    return show


def tell(line: str, notes: Iterable[str], written: Iterable[Path], words: dict[str, str]) -> None:
    """Say what was done.

    Args:
        line: The times.
        notes: For standard error, one line each.
        written: Every output.
        words: What to say of an output instead of its size, by suffix.
    """
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(line)
    for path in written:
        size = f"{path.stat().st_size / 1024:.0f} KiB"
        click.echo(f"{path}  {words.get(path.suffix, size)}".rstrip())


def summary(segmented: Segmented, times: Times) -> dict[str, Any]:
    """Say the same to a program."""
    return {
        "outputs": [str(path) for path in segmented.paths],
        "request_id": segmented.request_id,
        "stages_s": times.rounded(),
        "service_stages_s": {each.stage: round(each.seconds, 3) for each in segmented.stages},
        "model": {"name": segmented.model.name, "version": segmented.model.version},
        **segmented.summary,
        "warnings": list(segmented.warnings),
    }
