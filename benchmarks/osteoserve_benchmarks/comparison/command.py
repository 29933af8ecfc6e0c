"""``osteoserve bench compare``."""

from __future__ import annotations

from pathlib import Path

import click

from osteoserve_benchmarks.options import check_packages

#: Exit code where something became slower.
REGRESSION = 1

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("old", type=_PATH)
@click.argument("new", type=click.Path(dir_okay=False, path_type=Path))
def compare(old: Path, new: Path) -> None:
    """Say whether NEW is slower than OLD, beyond the noise that both measured; then end with 1.

    Both are JSON files of osteoserve bench or of make bench; OLD may be the folder where make
    bench saves. Runs of different machines, or measured differently, are refused.
    """
    check_packages("compare", ("scipy",))
    from osteoserve_benchmarks.comparison.judgement import judge_runs
    from osteoserve_benchmarks.comparison.saved import SavedRunError, last_saved, read_run
    from osteoserve_benchmarks.comparison.terminal import show

    earlier, later = read_run(last_saved(old)), read_run(new)
    judgements = judge_runs(earlier, later)
    show(earlier, later, judgements)
    moved = [each.name for each in judgements if each.yardstick and each.changed]
    if moved:
        raise SavedRunError(
            f"the machine itself was not the same: {moved[0]}, in which nothing is ours, changed; "
            "measure again when it is quiet"
        )
    if any(each.slower for each in judgements):
        raise click.exceptions.Exit(REGRESSION)
