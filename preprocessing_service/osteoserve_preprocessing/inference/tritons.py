"""Several Tritons as one: who is there, who answers, and what they serve in agreement.

See docs/decisions/0010.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from time import monotonic
from typing import Final

from tritonclient.grpc import InferResult

from osteoserve_preprocessing.errors import (
    ContractError,
    InferenceError,
    InferenceTimeoutError,
    ModelError,
    PreprocessingError,
    TritonUnavailableError,
)
from osteoserve_preprocessing.inference.agreement import agreed, difference
from osteoserve_preprocessing.inference.connection import QUESTION_TIMEOUT_S, Images
from osteoserve_preprocessing.inference.contract import ModelContract
from osteoserve_preprocessing.inference.member import Member
from osteoserve_preprocessing.inference.promptly import promptly
from osteoserve_preprocessing.inference.targets import Resolve, Target, addresses, parse_targets
from osteoserve_preprocessing.inference.tasks import end

logger = logging.getLogger(__name__)

#: Seconds between two looks at every Triton, where there may be several, and at DNS.
LOOK_S: Final = 1.0
RESOLVE_S: Final = 5.0

#: Longest that one of several may take to say what it serves, seconds; after so many in a row that
#: came too late it is lost, and what is under way to it goes to another.
LOOK_TIMEOUT_S: Final = 2.5
LATE_LOOKS: Final = 2

#: Does with an answer what is to be done; raises InferenceError where it breaks the contract.
Use = Callable[[InferResult], object]


class Tritons:
    """All that ``--triton`` names.

    Args:
        url: See `parse_targets`.
        places: Requests that may be under way to each at a time.
        resolve: Finds the Tritons of a target.

    Raises:
        OptionError: ``url`` is none.
    """

    def __init__(self, url: str, *, places: int, resolve: Resolve = addresses) -> None:
        self._found: dict[Target, tuple[str, ...]] = dict.fromkeys(parse_targets(url), ())
        self._several = len(self._found) > 1 or any(target.every_address for target in self._found)
        self._timeout_s = LOOK_TIMEOUT_S if self._several else QUESTION_TIMEOUT_S
        self._places = places
        self._resolve = resolve
        self._members: dict[str, Member] = {}
        self._leaving: set[Member] = set()
        self._in_use: dict[str, ModelContract] = {}
        self._turns = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Find them, and watch them where there may be several."""
        await self._find()
        if self._several:
            self._begin(_again_and_again(self._find, RESOLVE_S))
            self._begin(_again_and_again(self._look, LOOK_S))

    async def close(self) -> None:
        """End every connection."""
        await end(*self._tasks)
        for member in (*self._members.values(), *self._leaving):
            await member.close()

    def __len__(self) -> int:
        """How many there are, whether they answer or not."""
        return len(self._members)

    async def model_names(self) -> set[str]:
        """Names of the models that are ready, in any of them.

        Raises:
            TritonUnavailableError: None answers.
        """
        names: set[str] = set()

        async def ask(member: Member) -> None:
            with self._noting(member):
                names.update(await member.ready_models(self._timeout_s))

        await self._ask(self._prompt(), ask)
        return names

    async def contract(self, name: str) -> ModelContract:
        """The contract of a model as most of them state it now, in its newest ready version.

        Raises:
            ModelNotFoundError: No model of that name is ready.
            ContractError: Its configuration states no contract, or an impossible one.
            TritonUnavailableError: None answers.
        """
        without: list[ModelError] = []

        async def ask(member: Member) -> None:
            with self._noting(member):
                without.extend((await member.learn((name,), self._timeout_s)).values())

        await self._ask(self._prompt(), ask)
        contract = self._agree(name)
        if contract is not None:
            return contract
        without.sort(key=lambda error: isinstance(error, ContractError))
        raise without[-1] if without else TritonUnavailableError(f"model {name}: Triton is gone")

    async def canary(self, contract: ModelContract, images: Images, use: Use) -> None:
        """Have each one that serves the model answer; one that does must do.

        Raises:
            TritonUnavailableError: None serves the model with this contract, or none answers.
            InferenceError: None answers as it should.
        """
        subject = f"canary of {contract.name}"

        async def ask(member: Member) -> None:
            try:
                use(await member.infer(contract, images, monotonic() + QUESTION_TIMEOUT_S))
            except (InferenceTimeoutError, TritonUnavailableError):
                raise  # it may be busy; whether it is gone, a look will show
            except InferenceError as error:
                member.failing.add(contract.name)
                member.note(subject, str(error))
                raise
            member.failing.discard(contract.name)
            member.note(subject)

        await self.find_serving(contract)
        await self._ask(self._serving(contract), ask)

    async def find_serving(self, contract: ModelContract) -> None:
        """Make sure that somebody is known to serve a model with this very contract.

        Raises:
            ModelError: There is no such model any more.
            TritonUnavailableError: None does, or none answers.
        """
        if self._serving(contract):
            return
        await self.contract(contract.name)
        if not self._serving(contract):
            raise TritonUnavailableError(
                f"model {contract.name}: no Triton serves it any more as it was when this began"
            )

    def least_busy(self, contract: ModelContract, but: Collection[Member] = ()) -> Member | None:
        """Whom to ask next, of those that serve a model with this very contract.

        Args:
            contract: The model.
            but: Who was asked already.
        """
        serving = [member for member in self._serving(contract) if member not in but]
        if not serving:
            return None
        chosen = min(serving, key=lambda member: (*member.burden(contract.name), member.turn))
        chosen.turn = next(self._turns)
        return chosen

    def _serving(self, contract: ModelContract) -> list[Member]:
        return [member for member in self._reachable() if member.states(contract)]

    def _reachable(self) -> list[Member]:
        return [member for member in self._members.values() if not member.lost.is_set()]

    def _all(self) -> list[Member]:
        return list(self._members.values())

    def _prompt(self) -> list[Member]:
        """Whom to ask and wait for: those that were not late, or else whoever there is."""
        reachable = self._reachable()
        return [member for member in reachable if not member.late] or reachable or self._all()

    async def _ask(self, members: list[Member], ask: Callable[[Member], Awaitable[None]]) -> None:
        """Ask several; raises only where none answers."""
        answered: list[Member] = []
        errors: list[PreprocessingError] = []

        async def one(member: Member) -> bool:
            try:
                await ask(member)
            except PreprocessingError as error:
                errors.append(error)
                return False
            answered.append(member)
            return True

        await promptly(one(member) for member in members)
        if answered:
            return
        if errors:
            raise errors[0]
        raise TritonUnavailableError(f"{', '.join(map(str, self._found))}: no address is known")

    @contextmanager
    def _noting(self, member: Member) -> Iterator[None]:
        """Remember from a question whether it answers.

        Where it is gone, or was late too often, it is left out, unless there is no other.
        """
        try:
            yield
        except (TritonUnavailableError, InferenceTimeoutError) as error:
            member.late += 1
            gone = isinstance(error, TritonUnavailableError) or member.late >= LATE_LOOKS
            if gone and any(other is not member for other in self._reachable()):
                member.lost.set()
                member.forget()
                member.note("connection", f"left out, {error}")
            raise
        member.late = 0
        member.lost.clear()
        member.note("connection")

    def _agree(self, name: str) -> ModelContract | None:
        stating = [member for member in self._members.values() if name in member.newest]
        if not stating:
            return None
        before = self._in_use.get(name)
        contract = agreed((member.newest[name] for member in stating), before)
        if before not in (None, contract):
            logger.warning("model %s changed: %s", name, difference(contract, before))
        self._in_use[name] = contract
        for member in stating:
            other = member.newest[name]
            wrong = "" if other == contract else f"left out, differs: {difference(other, contract)}"
            member.note(f"model {name}", wrong)
        return contract

    async def _look(self) -> None:
        """Ask everyone, the lost ones too, what they serve."""
        names = tuple(self._in_use)

        async def one(member: Member) -> None:
            with suppress(PreprocessingError), self._noting(member):
                await member.learn(names, self._timeout_s)

        await asyncio.gather(*map(one, self._all()))
        for name in names:
            self._agree(name)

    async def _find(self) -> None:
        """Look up every target; one that cannot be resolved stays as it was."""
        for target in self._found:
            try:
                self._found[target] = await self._resolve(target)
            except OSError as error:
                logger.warning("%s: %s", target, error)
        wanted = dict.fromkeys(place for found in self._found.values() for place in found)
        for address in [address for address in wanted if address not in self._members]:
            member = Member(address, self._places)
            await member.open()
            self._members[address] = member
        for address in self._members.keys() - wanted.keys():
            member = self._members.pop(address)
            self._leaving.add(member)
            self._begin(self._leave(member))

    async def _leave(self, member: Member) -> None:
        """Let what is under way to it end."""
        logger.info("Triton %s is no longer named", member.address)
        while member.waiting:
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(QUESTION_TIMEOUT_S)  # questions
        await member.close()
        self._leaving.discard(member)

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _again_and_again(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception:
            logger.exception("watching Triton failed; it goes on")
