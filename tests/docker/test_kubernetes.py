"""The Kubernetes documents: valid, restricted, and every name in them means something."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from osteoserve_preprocessing.inference.targets import parse_targets
from osteoserve_preprocessing.server import Limits
from tests.docker.deployment import ROOT, deployed
from tests.docker.kustomize import (
    KUBERNETES,
    OVERLAYS,
    containers,
    documents,
    overlay,
    pods,
    rendered,
)
from tests.docker.test_commands import parse

LAWS = pytest.mark.parametrize("name", OVERLAYS)

#: `sleep` as what a container does before it stops is in every cluster from the first one on.
VERSIONS = ("1.30", "1.33", "1.37")


def by_kind(resources, kind):
    return {one["metadata"]["name"]: one for one in resources if one["kind"] == kind}


def chosen(resources, selector):
    """Names of the pods that a selector finds."""
    assert selector.keys() <= {"matchLabels"}
    wanted = selector.get("matchLabels", {}).items()
    return [
        name for name, pod in pods(resources).items() if wanted <= pod["metadata"]["labels"].items()
    ]


def port_names(pod):
    return {port["name"]: port for one in containers(pod) for port in one.get("ports", [])}


@LAWS
@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_takes_them(name, version):
    validate = pytest.importorskip(
        "kubernetes_validate",
        reason="the API's schemas are absent: pip install kubernetes-validate",
    )
    resources = overlay(name)
    for document in resources:
        validate.validate(document, version, strict=True)
    wrong = json.loads(json.dumps(by_kind(resources, "StatefulSet")["osteoserve"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["comand"] = []
    with pytest.raises(validate.ValidationError):
        validate.validate(wrong, version, strict=True)


@LAWS
def test_kustomize_makes_the_same_of_them(name):
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl absent: see kubernetes.io/docs/tasks/tools")
    yaml = pytest.importorskip("yaml", reason="PyYAML absent: pip install pyyaml")
    made = subprocess.run(
        [kubectl, "kustomize", str(KUBERNETES / "overlays" / name)], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr

    def sorted_by_name(found):
        return sorted(found, key=lambda one: (one["kind"], one["metadata"]["name"]))

    assert sorted_by_name(yaml.safe_load_all(made.stdout)) == sorted_by_name(overlay(name))


def test_kustomize_takes_the_folder_of_the_page(tmp_path):
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl absent: see kubernetes.io/docs/tasks/tools")
    shutil.copytree(KUBERNETES, tmp_path / "docker" / "kubernetes")
    page = (ROOT / "docs" / "deploy.md").read_text()
    (text,) = re.findall(r"```yaml\n(apiVersion: kustomize.*?)```", page, re.S)
    for more in ("", "components: [../docker/kubernetes/components/claimed-models]\n"):
        assert not more or more.strip() in page
        (tmp_path / "site").mkdir(exist_ok=True)
        (tmp_path / "site" / "kustomization.yaml").write_text(text + more)
        made = subprocess.run(
            [kubectl, "kustomize", str(tmp_path / "site")], capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        assert "image: osteoserve:" not in made.stdout
        assert "image: registry.hospital.example/osteoserve:0.1.0" in made.stdout
        assert ("claimName: osteoserve-models" in made.stdout) == bool(more)


@LAWS
def test_nothing_has_two_definitions_and_all_is_in_one_namespace(name):
    resources = overlay(name)
    names = [(one["kind"], one["metadata"]["name"]) for one in resources]
    assert len(set(names)) == len(names)
    (namespace,) = by_kind(resources, "Namespace")
    for one in resources:
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == namespace


@LAWS
def test_pods_can_do_no_more_than_they_must(name):
    resources = overlay(name)
    labels = by_kind(resources, "Namespace")["osteoserve"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in pods(resources).values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        # Links would set OSTEOSERVE_PORT to an address.
        assert spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        kinds = {kind for volume in spec["volumes"] for kind in volume} - {"name"}
        assert kinds <= {"emptyDir", "projected", "persistentVolumeClaim"}
        for one in containers(pod):
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= one["resources"]["limits"].keys()
            # What is promised is there: no pod is ended because a neighbour wants memory.
            assert one["resources"]["requests"]["memory"] == one["resources"]["limits"]["memory"]


@LAWS
def test_images_are_those_of_compose(name):
    images = {service["image"] for service in deployed(None).values()}
    for pod in pods(overlay(name)).values():
        for one in containers(pod):
            assert one["image"] in images


@LAWS
def test_mounts_have_volumes_and_volumes_are_mounted(name):
    resources = overlay(name)
    for owner, pod in pods(resources).items():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        templates = by_kind(resources, "StatefulSet").get(owner, {"spec": {}})["spec"]
        claims = templates.get("volumeClaimTemplates", [])
        volumes |= {claim["metadata"]["name"] for claim in claims}
        mounted = [m["name"] for one in containers(pod) for m in one["volumeMounts"]]
        assert set(mounted) == volumes
        for one in containers(pod):
            paths = [mount["mountPath"] for mount in one["volumeMounts"]]
            assert len(set(paths)) == len(paths)
            for word in [*one.get("args", []), *one.get("command", [])]:
                for path in re.findall(r"(?:^|=)(/(?!opt/osteoserve/)[\w./]+)", word):
                    assert any(path.startswith(place) for place in paths), word


@LAWS
def test_secrets_are_those_that_the_page_makes(name):
    page = (ROOT / "docs" / "deploy.md").read_text().replace("\\\n", " ")
    made = {
        match[1]: set(re.findall(r"--from-file=([\w.]+)=", match[2]))
        for match in re.finditer(r"kubectl .*create secret generic (\S+)(.*)", page)
    }
    wanted = {}
    for pod in pods(overlay(name)).values():
        for volume in pod["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                secret = source["secret"]
                wanted[secret["name"]] = {item["key"] for item in secret["items"]}
                # Its group alone reads them.
                assert volume["projected"]["defaultMode"] == 0o440
                assert pod["spec"]["securityContext"]["fsGroup"] == 10001
    assert made == wanted


@LAWS
def test_selectors_find_pods_and_ports_have_names(name):
    resources = overlay(name)
    for kind in ("StatefulSet", "Deployment"):
        for owner, one in by_kind(resources, kind).items():
            assert chosen(resources, one["spec"]["selector"]) == [owner]
    for one in by_kind(resources, "Service").values():
        (pod,) = chosen(resources, {"matchLabels": one["spec"]["selector"]})
        for port in one["spec"]["ports"]:
            assert (
                port_names(pods(resources)[pod])[port["targetPort"]]["containerPort"]
                == port["port"]
            )
    for one in by_kind(resources, "PodDisruptionBudget").values():
        assert chosen(resources, one["spec"]["selector"]) == [one["metadata"]["name"]]
    for one in by_kind(resources, "StatefulSet").values():
        assert one["spec"]["serviceName"] in by_kind(resources, "Service")
    for pod in pods(resources).values():
        assert pod["spec"]["serviceAccountName"] in by_kind(resources, "ServiceAccount")
        for one in containers(pod):
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                port = one.get(probe, {}).get("tcpSocket", {}).get("port")
                assert port is None or port in port_names(pod)


@LAWS
def test_only_who_must_reaches_whom(name):
    resources = overlay(name)
    policies = by_kind(resources, "NetworkPolicy")
    assert policies.pop("deny-all")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    ways = set()
    for policy in policies.values():
        (pod,) = chosen(resources, policy["spec"]["podSelector"])
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                assert port["port"] in port_names(pods(resources)[pod])
                sources = rule.get("from", [{}])
                ways |= {(who(resources, source), "->", pod, port["port"]) for source in sources}
        for rule in policy["spec"].get("egress", []):
            for port in rule["ports"]:
                ways |= {(pod, "=>", who(resources, to), port["port"]) for to in rule["to"]}
    expected = {("anybody", "->", "osteoserve", "grpc")}
    if name == "gpu":
        expected |= {
            ("osteoserve", "->", "triton", "grpc"),
            ("monitoring", "->", "triton", "metrics"),
            ("osteoserve", "=>", "triton", "grpc"),
            ("osteoserve", "=>", "kube-system", 53),
        }
    assert ways == expected


def who(resources, peer):
    if "namespaceSelector" in peer:
        return peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    if "podSelector" in peer:
        (pod,) = chosen(resources, peer["podSelector"])
        return pod
    assert peer == {}
    return "anybody"


@LAWS
def test_what_runs_may_end_in_good_order(name):
    for pod in pods(overlay(name)).values():
        (main,) = pod["spec"]["containers"]
        sleep = main["lifecycle"]["preStop"]["sleep"]["seconds"]
        exits = re.findall(r"--exit-timeout-secs=(\d+)", " ".join(main["args"]))
        needed = int(exits[0]) if exits else Limits().drain_s
        assert pod["spec"]["terminationGracePeriodSeconds"] >= sleep + needed + 5


@LAWS
def test_the_service_is_started_as_it_can_be(name):
    resources = overlay(name)
    (service,) = pods(resources)["osteoserve"]["spec"]["containers"]
    parse(["osteoserve", *service["args"]])
    mine = {word.partition("=")[0] for word in service["args"]}
    compose = deployed("compose.cpu.yaml" if name == "cpu" else None)["osteoserve"]
    assert mine == {word.partition("=")[0] for word in compose["command"]}
    named = [word for word in service["args"] if word.startswith("--triton=")]
    assert len(named) == (name == "gpu")
    for word in named:
        (target,) = parse_targets(word.removeprefix("--triton="))
        headless = by_kind(resources, "Service")[target.host]
        assert target.every_address
        assert headless["spec"]["clusterIP"] == "None"
        assert target.port in [port["port"] for port in headless["spec"]["ports"]]
    if name == "cpu":
        # The embedded Triton runs from /tmp, and passes tensors through shared memory.
        volumes = {v["name"]: v for v in pods(resources)["osteoserve"]["spec"]["volumes"]}
        assert "medium" not in volumes["tmp"]["emptyDir"]
        assert volumes["shared-memory"]["emptyDir"]["medium"] == "Memory"


def test_triton_is_started_as_in_compose():
    (triton,) = pods(overlay("gpu"))["triton"]["spec"]["containers"]
    metrics = ["--allow-metrics=true", "--metrics-address=0.0.0.0", "--metrics-port=8002"]
    assert [word for word in triton["args"] if "metrics" in word] == metrics
    compose = deployed(None)["triton"]["command"]
    others = [
        [word for word in each if "metrics" not in word] for each in (triton["args"], compose)
    ]
    assert others[0] == others[1]
    assert triton["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert (
        triton["readinessProbe"]["exec"]["command"]
        == deployed(None)["triton"]["healthcheck"]["test"][1:]
    )


def test_models_are_laid_out_and_checked_before_triton_starts(tmp_path):
    for one in pods(overlay("gpu"))["triton"]["spec"]["initContainers"]:
        python, program, *words = one["command"]
        assert (python, program) == ("python", "/opt/osteoserve/models.py")
        words = [word.replace("/models", str(tmp_path / "models")) for word in words]
        done = subprocess.run(
            [sys.executable, str(KUBERNETES.parent / "models.py"), *words],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / "unet_skeleton" / "1" / "model.onnx").is_file()
    assert "unet_skeleton" in done.stdout


def test_claimed_models_replace_those_of_the_image():
    resources = rendered(KUBERNETES / "components" / "claimed-models", overlay("gpu"))
    spec = pods(resources)["triton"]["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["check-models"]
    assert all(
        mount["readOnly"]
        for one in containers({"spec": spec})
        for mount in one["volumeMounts"]
        if mount["name"] == "models"
    )


def test_the_autoscaler_s_target_and_metric_exist():
    resources = overlay("gpu")
    (scaler,) = by_kind(resources, "HorizontalPodAutoscaler").values()
    target = scaler["spec"]["scaleTargetRef"]
    deployment = by_kind(resources, target["kind"])[target["name"]]
    assert target["apiVersion"] == deployment["apiVersion"]
    assert "replicas" not in deployment["spec"], "apply would undo the autoscaler's choice"
    (metric,) = scaler["spec"]["metrics"]
    (rule,) = adapter_rules()
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    annotations = pods(resources)["triton"]["metadata"]["annotations"]
    port = int(annotations["prometheus.io/port"])
    assert port_names(pods(resources)["triton"])["metrics"]["containerPort"] == port


def adapter_rules():
    (values,) = documents(KUBERNETES / "prometheus-adapter.yaml")
    return values["rules"]["custom"]
