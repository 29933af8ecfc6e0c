"""One Triton of several, and what is known of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from tritonclient.grpc import InferResult

from osteoserve_preprocessing.errors import (
    ModelError,
    ModelNotFoundError,
    PreprocessingError,
    TritonUnavailableError,
)
from osteoserve_preprocessing.inference.connection import Images, TritonConnection
from osteoserve_preprocessing.inference.contract import ModelContract
from osteoserve_preprocessing.inference.tasks import end

logger = logging.getLogger(__name__)


class Member:
    """One Triton.

    Args:
        address: "host:port" of its gRPC endpoint.
        places: Requests that may be under way to it at a time.

    Attributes:
        address: As given.
        waiting: Requests that are under way to it, or wait for a place.
        turn: When it was last given a request; orders those that are equally busy.
        newest: The contract of each model's newest version, by name, as it was last stated.
        failing: Models that it did not answer for when it was last asked.
        late: Questions in a row that it did not answer in time.
        lost: Set while it does not answer at all, and others do.
    """

    def __init__(self, address: str, places: int) -> None:
        self.address = address
        self.waiting = 0
        self.turn = 0
        self.late = 0
        self.newest: dict[str, ModelContract] = {}
        self.failing: set[str] = set()
        self.lost = asyncio.Event()
        self._stated: dict[tuple[str, str], ModelContract] = {}
        self._connection = TritonConnection(address)
        self._places = asyncio.Semaphore(places)
        self._noted: dict[str, str] = {}

    async def open(self) -> None:
        """Begin."""
        await self._connection.open()

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()

    async def ready_models(self, timeout_s: float) -> set[str]:
        """Names of the models that are ready.

        Raises:
            TritonUnavailableError: It does not answer.
            InferenceTimeoutError: It does not answer in time.
        """
        return set(await self._connection.ready_versions(timeout_s))

    async def learn(self, names: Iterable[str], timeout_s: float) -> dict[str, ModelError]:
        """Ask what it serves under these names, to know it from now on.

        Returns:
            Why a name has no contract.

        Raises:
            TritonUnavailableError: It does not answer; nothing is known of it any more.
            InferenceTimeoutError: It does not answer in time.
        """
        without: dict[str, ModelError] = {}
        try:
            versions = await self._connection.ready_versions(timeout_s)
            for name in names:
                try:
                    if name not in versions:
                        raise ModelNotFoundError(f"Triton serves no model {name}")
                    contract = await self._connection.contract(name, versions[name], timeout_s)
                except ModelError as error:
                    self.newest.pop(name, None)
                    without[name] = error
                else:
                    self.newest[name] = self._stated[name, contract.version] = contract
        except TritonUnavailableError:
            self.forget()
            raise
        return without

    def states(self, contract: ModelContract) -> bool:
        """Whether it stated this very contract when it was last asked, and has not ended since."""
        return self._stated.get((contract.name, contract.version)) == contract

    async def still_states(self, contract: ModelContract, timeout_s: float) -> bool:
        """Ask whether it states this contract now; one that does not answer has not changed it."""
        try:
            now = await self._connection.contract(contract.name, contract.version, timeout_s)
        except ModelError:
            return False
        except PreprocessingError as error:
            logger.info("Triton %s: not asked again: %s", self.address, error)
            return True
        self._stated[now.name, now.version] = now
        return now == contract

    def burden(self, name: str) -> tuple[bool, int]:
        """What speaks against asking it for a model, the worst first."""
        return name in self.failing, self.waiting

    def forget(self) -> None:
        """It may be another when it answers again: ask before trusting it."""
        self.newest.clear()
        self.failing.clear()
        self._stated.clear()

    async def infer_in_turn(
        self, contract: ModelContract, images: Images, deadline: float
    ) -> InferResult:
        """One request, when there is a place for it; see `infer`."""
        self.waiting += 1
        try:
            async with self._places:
                return await self.infer(contract, images, deadline)
        finally:
            self.waiting -= 1

    async def infer(self, contract: ModelContract, images: Images, deadline: float) -> InferResult:
        """One request, given up where this Triton is lost meanwhile.

        Raises:
            TritonUnavailableError: It does not answer; it is not trusted until it was asked again.
            InferenceTimeoutError: It did not answer in time.
            InferenceError: It refused.
        """
        answer = asyncio.create_task(self._connection.infer(contract, images, deadline))
        lost = asyncio.create_task(self.lost.wait())
        try:
            await asyncio.wait((answer, lost), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise TritonUnavailableError(f"Triton {self.address} answers no more")
            return await answer
        except TritonUnavailableError:
            self.forget()
            raise
        finally:
            await end(answer, lost)

    def note(self, subject: str, complaint: str = "") -> None:
        """Log what is wrong, once, and once that it is well again, which "" says."""
        before = self._noted.get(subject, "")
        self._noted[subject] = complaint
        if complaint and complaint != before:
            logger.warning("Triton %s: %s: %s", self.address, subject, complaint)
        elif before and not complaint:
            logger.warning("Triton %s: %s: well again", self.address, subject)
