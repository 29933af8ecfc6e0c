"""Prometheus and Grafana see what the service shows, and nobody else gets in through them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.docker.deployment import DOCKER, MONITORING, OVERLAYS, deployed, load

FOLDER = DOCKER / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "osteoserve.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

#: Only where there is a GPU; named by Triton's user guide, "Metrics".
OF_A_GPU = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes"}
#: Prometheus's own, and labels that it sets.
OF_PROMETHEUS, SET_BY_PROMETHEUS = {"up"}, {"job", "instance"}

Labels = dict[str, set[str]]


def yaml_of(name: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML absent: pip install pyyaml")
    return yaml.safe_load((FOLDER / name).read_text())


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml_of("prometheus/alerts.yaml")["groups"]
    return list(group["rules"])


def expressions() -> dict[str, tuple[str, str]]:
    """Every query, with the text that shows its labels, by where it stands."""
    found = {
        f"panel {panel['id']} {target['refId']}": (target["expr"], target["legendFormat"])
        for panel in PANELS
        for target in panel["targets"]
    }
    for rule in alerts():
        found[f"alert {rule['alert']}"] = (rule["expr"], rule["annotations"]["summary"])
    return found


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:(?:osteoserve|nv|process)_\w+|up)\b", expression))


def labels_in(expression: str, shown: str) -> set[str]:
    grouped = re.findall(r"\bby \(([\w, ]+)\)", expression)
    matched = re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    told = re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", shown)
    return {*matched, *told, *(name.strip() for names in grouped for name in names.split(","))}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_grafana_can_be_reached_and_from_this_machine_alone(overlay):
    services = deployed(overlay, MONITORING)
    published = {name: service.get("ports") for name, service in services.items()}
    assert {name for name, ports in published.items() if ports} == {"osteoserve", "grafana"}
    assert published["osteoserve"] == ["${OSTEOSERVE_PORT:-8471}:8471"]
    assert published["grafana"] == ["${OSTEOSERVE_GRAFANA_PORT:-127.0.0.1:3000}:3000"]
    networks = load(MONITORING)["networks"]
    assert networks["monitoring"] == {"internal": True}
    assert networks["grafana"]["driver_opts"] == {
        "com.docker.network.bridge.enable_ip_masquerade": "false"
    }
    assert set(services["prometheus"]["networks"]) == {"monitoring", "triton"}
    assert "triton" not in services["grafana"]["networks"]
    assert "monitoring" in services["osteoserve"]["networks"]
    assert "clients" in services["osteoserve"]["networks"]


def test_there_is_no_password_but_the_generated_one():
    services = load(MONITORING)["services"]
    variables = services["grafana"]["environment"]
    assert [name for name in variables if "PASSWORD" in name] == [
        "GF_SECURITY_ADMIN_PASSWORD__FILE"
    ]
    assert "secrets.token_urlsafe(24)" in services["monitoring-credentials"]["command"][0]
    assert variables["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert variables["GF_USERS_ALLOW_SIGN_UP"] == "false"


def test_neither_has_the_service_s_secrets():
    for name in ("prometheus", "grafana"):
        mounts = deployed(None, MONITORING)[name]["volumes"]
        assert not [m for m in mounts if m["source"].endswith(("/credentials", "osteoserve}"))]
        (secret,) = (m for m in mounts if m["target"].startswith("/run/"))
        assert secret["source"].endswith(f"/monitoring/{name}-credentials")
        assert secret["read_only"] is True


@pytest.mark.slow
def test_the_credentials_are_made_once_and_for_their_owner_alone(state):
    folder = state / "monitoring"
    made = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert set(made) == {
        "prometheus-credentials/ca.crt",
        "prometheus-credentials/metrics.token",
        "grafana-credentials/admin-password",
    }
    for path in made.values():
        assert path.stat().st_mode & 0o077 == 0
    password = made["grafana-credentials/admin-password"].read_text().strip()
    assert re.fullmatch(r"[\w-]{32}", password)
    entries = json.loads((state / "credentials" / "tokens.json").read_text())
    (token,) = (e for e in entries["tokens"] if e["name"] == "prometheus")
    assert token["scopes"] == ["metrics"]


def test_prometheus_looks_where_the_metrics_are():
    services = deployed(None, MONITORING)
    ours, triton = yaml_of("prometheus/prometheus.yaml")["scrape_configs"]
    (target,) = ours["static_configs"][0]["targets"]
    port = services["osteoserve"]["environment"]["OSTEOSERVE_SERVE_METRICS_ADDRESS"].split(":")[1]
    assert target == f"osteoserve:{port}"
    assert ours["scheme"] == "https"
    # The name is one of the certificate's.
    assert "--host osteoserve" in services["credentials"]["command"][0]
    (lookup,) = triton["dns_sd_configs"]
    assert lookup["names"] == ["triton"]
    for overlay in (None, "compose.tensorrt.yaml"):
        command = deployed(overlay, MONITORING)["triton"]["command"]
        assert f"--metrics-port={lookup['port']}" in command
        assert "--allow-metrics=true" in command
    files = {mount["target"] for mount in services["prometheus"]["volumes"]}
    assert {"/etc/prometheus", "/run/prometheus"} <= files


def test_the_dashboard_is_whole():
    uid = yaml_of("grafana/provisioning/datasources/prometheus.yaml")["datasources"][0]["uid"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["datasource"]["uid"] == uid
        assert all(target["datasource"]["uid"] == uid for target in panel["targets"])
    provider = yaml_of("grafana/provisioning/dashboards/osteoserve.yaml")["providers"][0]
    variables = load(MONITORING)["services"]["grafana"]["environment"]
    home = variables["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/osteoserve.json"
    mounted = Path(home.replace("/etc/osteoserve", str(FOLDER / "grafana")))
    assert mounted.is_file()


@pytest.fixture(scope="session")
def scraped(segmented_phantom, state, metrics_port) -> Labels:
    """Metrics of the running service, each with its labels, fetched as prometheus.yaml says."""
    asked, _ = yaml_of("prometheus/prometheus.yaml")["scrape_configs"]

    def of_host(path: str) -> Path:
        return Path(path.replace("/run/prometheus", f"{state}/monitoring/prometheus-credentials"))

    context = ssl.create_default_context(cafile=of_host(asked["tls_config"]["ca_file"]))
    token = of_host(asked["authorization"]["credentials_file"]).read_text().strip()
    assert asked["scheme"] == "https"
    request = urllib.request.Request(
        f"https://localhost:{metrics_port}/metrics", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:  # noqa: S310
        text = answer.read().decode()
    found: Labels = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            # As it is written: the parser adds a suffix to counters of Triton's.
            name = sample.name if sample.name in text else sample.name.removesuffix("_total")
            found.setdefault(name, set()).update(sample.labels)
    return found


@pytest.mark.slow
def test_every_metric_and_label_that_is_asked_for_is_one_that_there_is(scraped):
    for place, (expression, shown) in expressions().items():
        names = metrics_in(expression)
        assert names, place
        absent = names - set(scraped) - OF_A_GPU - OF_PROMETHEUS
        assert not absent, place
        if names & OF_A_GPU:
            continue
        labels = set().union(*(scraped.get(name, set()) for name in names))
        assert labels_in(expression, shown) <= labels | SET_BY_PROMETHEUS, place


def test_a_metric_that_is_not_there_would_be_found():
    assert metrics_in("rate(osteoserve_requests_total[5m]) / up") == {
        "osteoserve_requests_total",
        "up",
    }
    query = 'sum by (le, stage) (rate(x{method=~"a"}[5m]))'
    assert labels_in(query, "{{model}} {{ $labels.reason }}") == {
        "le",
        "stage",
        "method",
        "model",
        "reason",
    }


def prometheus_program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} absent: apt-get install prometheus")
    return found


def test_promtool_finds_nothing():
    done = subprocess.run(
        [prometheus_program("promtool"), "check", "rules", FOLDER / "prometheus" / "alerts.yaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def prometheus(
    healthy, state, metrics_port, tmp_path
) -> Iterator[Callable[[str, str], dict[str, Any]]]:
    """Asks a real Prometheus that runs on the deployment's configuration."""
    text = (FOLDER / "prometheus" / "prometheus.yaml").read_text()
    text = text.replace("/run/prometheus", f"{state}/monitoring/prometheus-credentials")
    text = text.replace("/etc/prometheus", str(FOLDER / "prometheus"))
    text = text.replace("osteoserve:9471", f"localhost:{metrics_port}")
    configuration = tmp_path / "prometheus.yaml"
    configuration.write_text(text.replace("15s", "1s"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        prometheus_program("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
    ]

    def ask(path: str, query: str = "") -> dict[str, Any]:
        url = f"http://{address}/api/v1/{path}?" + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(url, timeout=30) as answer:
            return dict(json.load(answer))

    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                if ask("query", 'up{job="osteoserve"} == 1')["data"]["result"]:
                    break
            except OSError:  # it does not listen yet
                assert running.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.5)
        yield ask
    finally:
        running.terminate()
        running.wait(timeout=60)


@pytest.mark.slow
def test_a_real_prometheus_answers_every_query(prometheus, segmented_phantom):
    del segmented_phantom
    # Two scrapes, for rates.
    time.sleep(3)
    for place, (expression, _) in expressions().items():
        answer = prometheus("query", expression.replace("$__rate_interval", "1m"))
        assert answer["status"] == "success", place
        if place.startswith("panel") and not metrics_in(expression) & OF_A_GPU:
            assert answer["data"]["result"] or " > 0" in expression, place
    groups = prometheus("rules")["data"]["groups"]
    health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert set(health) == {rule["alert"] for rule in alerts()}
    assert "err" not in health.values()
