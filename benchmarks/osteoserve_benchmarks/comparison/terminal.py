"""Two runs beside each other as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from osteoserve_benchmarks.comparison.judgement import Judgement
from osteoserve_benchmarks.comparison.saved import SavedRun
from osteoserve_benchmarks.terminal import new_table, number, wide_enough


def show(
    old: SavedRun, new: SavedRun, judgements: Sequence[Judgement], console: Console | None = None
) -> None:
    """Print every judgement, what else differs, and what only one run measured.

    Args:
        old: The earlier run.
        new: The later one.
        judgements: Of what both measured.
        console: Where; standard output unless given.
    """
    console = wide_enough(console)
    title = f"{old.name} and {new.name}, medians"
    table = new_table(title, ("measured", "old, s", "new, s", "change", "noise", "p", ""))
    for each in judgements:
        table.add_row(
            each.name,
            number(each.old_s, 4),
            number(each.new_s, 4),
            f"{each.change:+.1%}",
            f"{each.noise:.1%}",
            f"{each.chance:.3f}",
            _verdict(each),
        )
    console.print(table)
    for line in _differences(old, new):
        console.print(line, soft_wrap=True, markup=False)


def _verdict(judgement: Judgement) -> str:
    if not judgement.changed:
        return "same"
    if judgement.yardstick:
        return "MACHINE"
    return "SLOWER" if judgement.slower else "faster"


def _differences(old: SavedRun, new: SavedRun) -> list[str]:
    lines = [
        f"{name}: {old.versions.get(name, 'none')}, then {new.versions.get(name, 'none')}"
        for name in dict.fromkeys((*old.versions, *new.versions))
        if old.versions.get(name) != new.versions.get(name)
    ]
    loads = [run.machine["load_average"] for run in (old, new)]
    lines.append(f"load before: {loads[0]:.1f}, then {loads[1]:.1f}")
    for run, other in ((old, new), (new, old)):
        alone = [name for name in run.series if name not in other.series]
        if alone:
            lines.append(f"only in {run.name}: {', '.join(alone)}")
    return lines
