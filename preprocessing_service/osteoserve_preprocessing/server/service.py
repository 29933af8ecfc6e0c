"""The RPC methods: unpack, delegate, convert."""

from __future__ import annotations

from typing import Any

from osteoserve_preprocessing.inference import ModelContract
from osteoserve_preprocessing.server.calls import Calls, StreamCall
from osteoserve_preprocessing.server.converters import (
    header_of,
    model_message,
    preprocess_progress,
    preprocess_responses,
    segment_progress,
    segment_responses,
    volume_request,
)
from osteoserve_preprocessing.server.generations import Generations
from osteoserve_preprocessing.server.health import Health
from osteoserve_preprocessing.server.observability.origins import current_request_id
from osteoserve_preprocessing.server.scintigram_converters import (
    scintigram_progress,
    scintigram_request,
    scintigram_responses,
)
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceServicer


class PreprocessingService(PreprocessingServiceServicer):
    """osteoserve.preprocessing.v1.PreprocessingService; the proto documents the methods."""

    def __init__(
        self,
        calls: Calls,
        generations: Generations,
        health: Health,
        *,
        chunk_bytes: int,
        shared_memory: bool,
    ) -> None:
        self._calls = calls
        self._generations = generations
        self._health = health
        self._chunk_bytes = chunk_bytes
        self._shared_memory = shared_memory

    async def Preprocess(self, _requests: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        """Volume in; normalised volume and stretcher mask out."""
        await self._calls.stream(context, "Preprocess", self._preprocess, preprocess_progress)

    async def Segment(self, _requests: Any, context: Any) -> None:  # noqa: N802
        """Volume in; label map and report out."""
        await self._calls.stream(context, "Segment", self._segment, segment_progress)

    async def SegmentScintigram(self, _requests: Any, context: Any) -> None:  # noqa: N802
        """Bone scan in; regions and report out."""
        await self._calls.stream(
            context, "SegmentScintigram", self._segment_scintigram, scintigram_progress
        )

    async def ListModels(  # noqa: N802
        self, _request: pb.ListModelsRequest, context: Any
    ) -> pb.ListModelsResponse:
        """What Triton serves now."""
        return await self._calls.unary(context, "ListModels", self._list_models)

    async def GetModel(  # noqa: N802
        self, request: pb.GetModelRequest, context: Any
    ) -> pb.GetModelResponse:
        """One model of those."""
        return await self._calls.unary(
            context, "GetModel", lambda: self._get_model(request.name), model=request.name
        )

    async def _preprocess(self, call: StreamCall) -> None:
        request = call.about(volume_request(header_of(await call.upload.header())))
        async with (
            self._generations.call() as generation,
            generation.volumes.preprocess(request, call.upload, call.tell, call.watch) as answer,
        ):
            await call.send(preprocess_responses(answer, chunk_bytes=self._chunk_bytes))

    async def _segment(self, call: StreamCall) -> None:
        header = header_of(await call.upload.header())
        request = call.about(volume_request(header))
        if self._shared_memory and header.HasField("shared"):
            await call.share(header.shared, request.shape)
        async with (
            self._generations.call() as generation,
            generation.volumes.segment(request, call.upload, call.tell, call.watch) as answer,
        ):
            call.contract = answer.contract
            await call.send(
                segment_responses(
                    answer, chunk_bytes=self._chunk_bytes, request_id=current_request_id()
                )
            )

    async def _segment_scintigram(self, call: StreamCall) -> None:
        request = call.about(scintigram_request(header_of(await call.upload.header())))
        async with (
            self._generations.call() as generation,
            generation.scintigrams.segment(request, call.upload, call.tell, call.watch) as answer,
        ):
            call.contract = answer.contract
            await call.send(
                scintigram_responses(
                    answer, chunk_bytes=self._chunk_bytes, request_id=current_request_id()
                )
            )

    async def _list_models(self) -> pb.ListModelsResponse:
        async with self._generations.call() as generation:
            contracts = await generation.models.contracts()
        return pb.ListModelsResponse(models=map(self._model, contracts.values()))

    async def _get_model(self, name: str) -> pb.GetModelResponse:
        async with self._generations.call() as generation:
            contract = await generation.models.contract(name)
        return pb.GetModelResponse(model=self._model(contract))

    def _model(self, contract: ModelContract) -> pb.Model:
        return model_message(contract, ready=self._health.ready(contract.name))
