"""What Prometheus would read."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


class Scrape(dict[Sample, float]):
    """The samples of one answer to a scrape, by name and labels."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        names = [family.name for family in families]
        assert len(names) == len(set(names)), "a metric stands there twice"
        self.kinds = {family.name: family.type for family in families}
        super().__init__(
            {
                (_as_written(sample.name, text), frozenset(sample.labels.items())): sample.value
                for family in families
                for sample in family.samples
            }
        )

    def value(self, name: str, **labels: str) -> float:
        """One sample; 0 where there is none yet."""
        return self.get((name, frozenset(labels.items())), 0.0)


def _as_written(name: str, text: str) -> str:
    """The parser gives every counter the suffix that OpenMetrics asks for; Triton's have none."""
    return name if f"\n{name}" in text else name.removesuffix("_total")


def metrics_url(log: str) -> str:
    found = re.search(r"metrics on (https?://\S+?/metrics)", log)
    assert found, log
    return found[1]
