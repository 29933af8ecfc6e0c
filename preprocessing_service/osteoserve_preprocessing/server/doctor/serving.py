"""Questions about the models and about Triton, which is started for them."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from google.protobuf import text_format

from osteoserve_preprocessing.errors import (
    ContractError,
    DigestError,
    OptionError,
    PreprocessingError,
    TritonError,
)
from osteoserve_preprocessing.inference import ModelContract, TritonSession, read_contract
from osteoserve_preprocessing.profiles import chosen_profile, configuration_file
from osteoserve_preprocessing.server.doctor.findings import Finding, State
from osteoserve_preprocessing.server.doctor.tritons import tritons
from osteoserve_preprocessing.server.settings import Settings, packaged_repository
from osteoserve_preprocessing.triton import EmbeddedTriton


def models(settings: Settings) -> tuple[Finding, ...]:
    """Whether every model in the repository states its contract, and its file is the one named."""
    try:
        repository = settings.repository or packaged_repository()
    except OptionError as error:
        return (Finding("model repository", State.BROKEN, str(error), "reinstall osteoserve"),)
    configs = sorted(repository.glob("*/config.pbtxt"))
    absent = sorted({*settings.models}.difference(config.parent.name for config in configs))
    if absent:
        detail = f"{repository} has no {', '.join(absent)}"
        return (Finding("model repository", State.BROKEN, detail, "name others by --model"),)
    if settings.models:
        configs = [config for config in configs if config.parent.name in settings.models]
    if not configs:
        return (
            Finding(
                "model repository",
                State.BROKEN,
                f"{repository} holds no model",
                "name another by --repository, or restore it",
            ),
        )
    profile = chosen_profile(settings.profile)
    return tuple(_model(config.parent, profile) for config in configs)


def _model(folder: Path, profile: str) -> Finding:
    subject = f"model {folder.name}"
    try:
        contract = _contract(folder, profile)
        _check_digest(folder, contract)
    except (PreprocessingError, OSError, text_format.ParseError) as error:
        return Finding(
            subject, State.BROKEN, str(error), "restore the folder, or export the model again"
        )
    labels = ", ".join(label.name for label in contract.labels)
    return Finding(
        subject,
        State.OK,
        f"version {contract.version}, {contract.answered_in}, labels: {labels}, digest agrees",
    )


def _contract(folder: Path, profile: str) -> ModelContract:
    versions = [entry.name for entry in folder.iterdir() if entry.name.isdigit()]
    if not versions:
        raise ContractError("there is no version folder")
    return read_contract(configuration_file(folder, profile), max(versions, key=int))


def _check_digest(folder: Path, contract: ModelContract) -> None:
    path = folder / contract.version / "model.onnx"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != contract.digest:
        raise DigestError(
            f"{folder.name}/{contract.version}/model.onnx has digest {digest[:12]}..., its "
            f"configuration names {contract.digest[:12]}..."
        )


def triton(settings: Settings) -> tuple[Finding, ...]:
    """Whether Triton starts, or answers, and every model answers a canary inference."""
    if settings.triton is None:
        return asyncio.run(_triton(settings))
    return asyncio.run(
        tritons(settings.triton, lambda place: _triton(replace(settings, triton=place)))
    )


async def _triton(settings: Settings) -> tuple[Finding, ...]:
    subject = f"Triton at {settings.triton}" if settings.triton else "embedded Triton"
    try:
        async with AsyncExitStack() as stack:
            address = settings.triton
            if address is None:
                repository = settings.repository or packaged_repository()
                embedded = EmbeddedTriton(
                    repository,
                    profile=chosen_profile(settings.profile),
                    models=settings.models,
                    log=settings.triton_log,
                )
                address = stack.enter_context(embedded).grpc_address
            session = await stack.enter_async_context(TritonSession(address))
            names = await session.model_names()
            canaries = [await _canary(session, name) for name in names]
            detail = f"answers, and serves {', '.join(names) or 'no model'}"
            state = State.OK if names else State.BROKEN
            return (Finding(subject, state, detail), *canaries)
    except (TritonError, OptionError) as error:
        remedy = (
            "check the address, and that its gRPC port is open"
            if settings.triton
            else "pip install 'osteoserve[service]'; start again with --triton-log FILE and read it"
        )
        return (Finding(subject, State.BROKEN, str(error), remedy),)


async def _canary(session: TritonSession, name: str) -> Finding:
    subject = f"canary of {name}"
    try:
        await session.canary(await session.contract(name))
    except PreprocessingError as error:
        return Finding(
            subject, State.BROKEN, str(error), "restart Triton; read its log where it fails again"
        )
    return Finding(subject, State.OK, "answered")
