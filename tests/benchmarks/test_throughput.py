"""What is counted of many clients, on made-up logs; and once for real."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console

from osteoserve_benchmarks.cli import bench
from osteoserve_benchmarks.served import serving
from osteoserve_benchmarks.throughput.arrivals import poisson_arrivals
from osteoserve_benchmarks.throughput.document import KEYS, LOAD_KEYS, throughput_document
from osteoserve_benchmarks.throughput.measure import clients
from osteoserve_benchmarks.throughput.plot import plot
from osteoserve_benchmarks.throughput.terminal import show
from osteoserve_benchmarks.triton_statistics import Counts, Watcher
from osteoserve_client.errors import ServiceUnavailableError
from tests.benchmarks.documentation import documented_keys
from tests.benchmarks.loads import UNEVEN, answered, load, measured_throughput


def test_arrivals_are_fixed_by_rate_duration_and_seed() -> None:
    first = poisson_arrivals(per_second=2.0, duration_s=1000.0, seed=3)
    assert first == poisson_arrivals(per_second=2.0, duration_s=1000.0, seed=3)
    assert first != poisson_arrivals(per_second=2.0, duration_s=1000.0, seed=4)
    # A longer run begins with the same arrivals, and twice the rate halves every time.
    assert poisson_arrivals(per_second=2.0, duration_s=2000.0, seed=3)[: len(first)] == first
    faster = poisson_arrivals(per_second=4.0, duration_s=500.0, seed=3)
    np.testing.assert_allclose(faster, np.array(first) / 2)


def test_arrivals_are_those_of_a_poisson_process() -> None:
    times = np.array(poisson_arrivals(per_second=2.0, duration_s=10_000.0, seed=0))
    gaps = np.diff(times)
    assert times[0] == 0.0
    assert times[-1] < 10_000.0
    assert gaps.min() > 0
    # Of an exponential distribution, mean and deviation are the same; each to four of its errors.
    assert gaps.mean() == pytest.approx(0.5, rel=4 / np.sqrt(len(gaps)))
    assert gaps.std() == pytest.approx(0.5, rel=8 / np.sqrt(len(gaps)))


def test_latency_counts_from_the_intended_arrival() -> None:
    late = answered(0, 1.0, 4.0, sent=3.5)
    assert late.latency == 3.0


def test_rate_and_share_are_of_answers() -> None:
    assert UNEVEN.wall_s == 10.0
    assert UNEVEN.seconds_per_volume == 2.5
    assert UNEVEN.slowest_share == 0.5  # one answer, where two would be even
    assert load(answered(0, 0.0, 1.0), answered(1, 0.0, 2.0)).slowest_share == 1.0
    assert load(answered(0, 0.0, 1.0), answered(0, 1.0, 2.0)).slowest_share == 0.0  # 1 starves


def test_triton_is_busy_while_its_instances_compute() -> None:
    assert UNEVEN.triton_busy == pytest.approx(0.9)  # 9 of 10 s
    assert load(*UNEVEN.calls, instances=2).triton_busy == pytest.approx(0.45)
    assert load(*UNEVEN.calls, triton=None).triton_busy is None
    earlier, later = Counts(3, 2, 1.0, 4.0), Counts(10, 5, 1.5, 6.0)
    assert later.since(earlier) == Counts(7, 3, 0.5, 2.0)


def test_every_documented_key_is_there_and_no_other() -> None:
    document = throughput_document(measured_throughput())
    assert tuple(document) == KEYS == documented_keys("bench throughput")
    for one in (*document["closed_loop"], *document["open_loop"]):
        assert tuple(one) == LOAD_KEYS == documented_keys("A load")
    json.dumps(document, allow_nan=False)


def test_rounds_become_medians_and_all_their_latencies() -> None:
    quick = load(*(answered(n, 0.0, 1.0 + n) for n in (0, 1)))
    document = throughput_document(measured_throughput(closed_loop={2: (UNEVEN, quick, UNEVEN)}))
    (closed,), (opened,) = document["closed_loop"], document["open_loop"]
    assert closed["volumes_per_hour"] == 3600 / 2.5
    assert closed["answered"] == len(closed["latency_s"]["values"]) == 4 + 2 + 4
    assert closed["slowest_client_share"] == 0.5
    assert closed["triton_queue_s"] == 0.5  # 2 s over 4 requests
    assert closed["triton_compute_s"] == 4.5  # 9 s over 2 executions
    assert document["spread"]["closed_loop.2.seconds_per_volume"]["values"] == [2.5, 1.0, 2.5]
    assert (opened["answered"], opened["rejected"]) == (2, 1)
    assert opened["latency_s"]["values"] == [2.0, 4.0]  # refusals have none
    assert opened["longest_lateness_s"] == 0.5
    assert opened["slowest_client_share"] is None


def test_another_mask_is_seen() -> None:
    other = UNEVEN.calls[0]._replace(digest="bb")
    document = throughput_document(
        measured_throughput(closed_loop={2: (load(other, *UNEVEN.calls[1:]),)})
    )
    assert not document["masks_identical"]
    assert document["mask_sha256"] == ["bb", "aa"]
    out = StringIO()
    show(document, Console(file=out))
    assert "2 DIFFERENT MASKS" in out.getvalue()


@pytest.mark.parametrize("remote", [True, False])
def test_tables_and_plot_show_what_is_known(remote: bool, tmp_path: Path) -> None:
    changes = {"triton": None, "service_cpu_s": None} if remote else {}
    document = throughput_document(
        measured_throughput(closed_loop={2: (load(*UNEVEN.calls, **changes),)})
    )
    out = StringIO()
    show(document, Console(file=out))
    text = out.getvalue()
    assert "…" not in text
    assert "1440" in text
    assert ("90 %" in text.partition("Open loop")[0]) != remote
    plot(document, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert len(picture.convert("L").getcolors(256) or ()) > 10


def test_a_triton_that_is_not_there_is_named() -> None:
    with (
        Watcher("127.0.0.1:1", "unet_skeleton") as watcher,
        pytest.raises(ServiceUnavailableError, match=r"Triton at 127\.0\.0\.1:1"),
    ):
        watcher.counts()


@pytest.mark.parametrize(
    "words", [["--concurrency", "1,two"], ["--concurrency", "0"], ["--rates", "nan"]]
)
def test_numbers_that_are_none_are_refused(words: list[str]) -> None:
    result = CliRunner().invoke(bench, ["throughput", *words])
    assert result.exit_code == 2
    assert words[0] in result.output


@pytest.mark.slow
def test_clients_at_once(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    words = ["--slices", "8", "--concurrency", "2", "--duration", "1", "--rounds", "1"]
    # A hundred at once, of which the service takes sixteen.
    rates = ["--rates", "360000"]
    result = CliRunner().invoke(bench, ["throughput", *words, *rates, "--json", str(file)])
    assert result.exit_code == 0, result.output
    document = json.loads(file.read_text(encoding="utf-8"))
    assert tuple(document) == KEYS
    assert document["masks_identical"]
    (closed,), (opened,) = document["closed_loop"], document["open_loop"]
    assert closed["answered"] >= closed["clients"] == 2
    assert 0 < closed["triton_busy"] <= 1
    assert closed["service_cores"] > 0
    intended = poisson_arrivals(per_second=100.0, duration_s=1.0, seed=0)
    assert opened["answered"] + opened["rejected"] == len(intended)
    assert opened["rejected"] > 0
    # Having come nearly at once, they are answered one after the other: queueing shows.
    assert max(opened["latency_s"]["values"]) > 2 * min(opened["latency_s"]["values"])
    assert file.with_suffix(".png").stat().st_size > 0


@pytest.mark.slow
def test_no_answer_is_waited_for_before_the_next_is_sent() -> None:
    arrivals = (0.0, 0.0, 0.001)
    with serving() as service, clients(service, 16, 1) as (client,):
        sent = client.ask("open_loop", 0, monotonic(), arrivals)
    assert tuple(call.intended for call in sent.calls) == arrivals
    assert max(call.sent for call in sent.calls) < min(call.ended for call in sent.calls)
    assert len({call.digest for call in sent.calls}) == 1
