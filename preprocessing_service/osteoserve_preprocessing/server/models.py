"""What Triton serves now, remembered for a moment."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from osteoserve_preprocessing.errors import ContractError
from osteoserve_preprocessing.inference import ModelContract, TritonSession

logger = logging.getLogger(__name__)


class Models:
    """The models behind one Triton.

    Args:
        session: Asks Triton.
        keep_s: How long the list is remembered.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        session: TritonSession,
        *,
        keep_s: float = 2.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._session = session
        self._keep_s = keep_s
        self._clock = clock
        self._contracts: dict[str, ModelContract] = {}
        self._stale_at = float("-inf")
        self._without_contract: dict[str, str] = {}

    async def contract(self, name: str) -> ModelContract:
        """One model's contract, asked for anew: an answer must name the model that gave it.

        Raises:
            ModelNotFoundError: Triton serves none of that name.
            ContractError: It does not say what the service must know.
            TritonUnavailableError: Triton does not answer.
        """
        return await self._session.contract(name)

    async def contracts(self) -> dict[str, ModelContract]:
        """Every model that states a contract, by name; others in the same Triton are left out.

        Raises:
            TritonUnavailableError: Triton does not answer.
        """
        if self._clock() >= self._stale_at:
            self._contracts = await self._ask()
            self._stale_at = self._clock() + self._keep_s
        return self._contracts

    @property
    def without_contract(self) -> dict[str, str]:
        """Models that were left out, and why."""
        return dict(self._without_contract)

    def remembered(self, name: str) -> ModelContract | None:
        """One model's contract as it was in the last list, without asking."""
        return self._contracts.get(name)

    def forget(self) -> None:
        """Ask anew next time, as after a failure of Triton."""
        self._stale_at = float("-inf")

    async def _ask(self) -> dict[str, ModelContract]:
        found = {name: await self._stated(name) for name in await self._session.model_names()}
        return {name: contract for name, contract in sorted(found.items()) if contract}

    async def _stated(self, name: str) -> ModelContract | None:
        try:
            return await self._session.contract(name)
        except ContractError as error:
            if name not in self._without_contract:
                logger.warning("left out: %s", error)
            self._without_contract[name] = str(error)
            return None
