import json
import re

import pytest

from tests.docker.deployment import FILES, MONITORING, OVERLAYS, ROOT, deployed, load

LAWS = pytest.mark.parametrize("overlay", OVERLAYS)
MONITORED = pytest.mark.parametrize("monitoring", [None, MONITORING])


@pytest.mark.parametrize("name", [*FILES, MONITORING])
def test_compose_s_own_schema_holds(name):
    reason = "Compose's schema absent: pip install check-jsonschema"
    builtin = pytest.importorskip("check_jsonschema.builtin_schemas", reason=reason)
    jsonschema = pytest.importorskip("jsonschema", reason=reason)
    schema = builtin.get_builtin_schema("vendor.compose-spec")
    validator = jsonschema.validators.validator_for(schema)(schema)
    content = json.loads(json.dumps(load(name)))
    assert [error.message for error in validator.iter_errors(content)] == []
    content["services"]["osteoserve"] = {"comand": []}
    assert list(validator.iter_errors(content))


@LAWS
@MONITORED
def test_containers_can_do_no_more_than_they_must(overlay, monitoring):
    for name, service in deployed(overlay, monitoring).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "privileged" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        user = re.fullmatch(r"\$\{OSTEOSERVE_USER:-(\d+):(\d+)\}", service["user"])
        assert user, name
        assert int(user[1]) > 0, name
        assert int(user[2]) > 0, name
        assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name
        assert service["tmpfs"], name


@LAWS
def test_only_the_service_can_be_reached(overlay):
    services = deployed(overlay)
    assert [name for name, service in services.items() if "ports" in service] == ["osteoserve"]
    assert services["osteoserve"]["ports"] == ["${OSTEOSERVE_PORT:-8471}:8471"]
    assert services["triton"]["networks"] == ["triton"]
    assert load("compose.yaml")["networks"]["triton"] == {"internal": True}
    for name, service in services.items():
        assert service.get("network_mode") in (None, "none"), name


@LAWS
def test_triton_takes_no_orders_and_writes_no_model(overlay):
    triton = deployed(overlay)["triton"]
    assert "--model-control-mode=none" in triton["command"]
    assert "--disable-auto-complete-config" in triton["command"]
    assert "--http-address=127.0.0.1" in triton["command"]
    assert [mount["read_only"] for mount in triton["volumes"]] == [True]
    assert triton["shm_size"] == "1g"


def test_the_profiles_differ_in_the_profile_alone():
    gpu, tensorrt = (deployed(overlay)["triton"]["command"] for overlay in (None, FILES[2]))
    assert [word.replace("=gpu", "=tensorrt") for word in gpu] == tensorrt
    for overlay, profile in ((None, "gpu"), (FILES[2], "tensorrt")):
        services = deployed(overlay)
        assert f"--model-config-name={profile}" in services["triton"]["command"]
        assert services["check-models"]["command"][-1] == profile
        models = [
            next(m for m in services[name]["volumes"] if m["target"] == "/models")
            for name in ("check-models", "triton")
        ]
        assert models[0] == models[1]


@pytest.mark.parametrize(
    "name", [str(path.parent.name) for path in ROOT.glob("model_repository/*/configs")]
)
def test_every_model_has_the_profiles(name):
    for profile in ("cpu", "gpu", "tensorrt"):
        assert (ROOT / "model_repository" / name / "configs" / f"{profile}.pbtxt").is_file()


@LAWS
@MONITORED
def test_every_image_has_a_version(overlay, monitoring):
    for name, service in deployed(overlay, monitoring).items():
        assert re.fullmatch(r"[\w./]+:v?\d+\.\d+[\w.-]*", service["image"]), name


def test_versions_are_those_of_the_project():
    constraints = (ROOT / "constraints.txt").read_text()
    text = (ROOT / "docker" / "compose.yaml").read_text()
    release = re.search(r"^# Triton (\S+), as tritonclient in constraints.txt", text, re.M)
    assert release
    assert f"tritonclient=={release[1]}\n" in constraints
    version = re.search(r'^version = "(\S+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    assert deployed(None)["osteoserve"]["image"] == f"osteoserve:{version[1]}"


@LAWS
@MONITORED
def test_what_a_service_waits_for_can_happen(overlay, monitoring):
    services = deployed(overlay, monitoring)
    for name, service in services.items():
        for other, how in (service.get("depends_on") or {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"], name
            else:
                assert how["condition"] == "service_completed_successfully", name
                assert services[other]["restart"] == "no", name
            assert set(services[other].get("profiles", [])) <= set(service.get("profiles", [])), (
                name
            )


def test_a_gpu_is_asked_for_where_one_is_needed_only():
    def with_gpu(overlay):
        return [
            name
            for name, service in deployed(overlay).items()
            if "reservations" in service["deploy"]["resources"] and not service.get("profiles")
        ]

    assert with_gpu(None) == ["triton"]
    assert with_gpu("compose.cpu.yaml") == []


def test_secrets_are_mounted_read_only_and_as_a_folder():
    # As single files, a change of tokens.json, which is a new file, would never be seen.
    services = deployed(None)
    for name in ("osteoserve", "client"):
        (mount,) = (m for m in services[name]["volumes"] if m["target"] == "/run/osteoserve")
        assert mount["read_only"] is True
        assert mount["source"].endswith("/credentials")
    for service in services.values():
        for mount in service.get("volumes", []):
            assert mount.get("read_only") or mount["bind"] == {"create_host_path": False}


def test_the_embedded_triton_can_run_in_its_container():
    service = deployed("compose.cpu.yaml")["osteoserve"]
    (tmp,) = service["tmpfs"]
    assert tmp.split(":")[1].split(",")[0] == "exec"
    assert service["shm_size"] == "1g"
    assert not any(word.startswith("--triton") for word in service["command"])
