"""Faults of a shop in several processes: every process is told, each does it to what it holds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec.structs import replace

from emporion.contracts.contract import Empty
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_faults import (
    ClearFault,
    FaultList,
    FaultsOfShop,
    FaultStanding,
    ListFaults,
    SwitchFaultOn,
)
from emporion.kernel.errors import EmporionError, NotFound
from emporion.platform.desk.telling import record
from emporion.platform.operations_everywhere import spoken

T = TypeVar("T")
Everybody = Callable[[], Awaitable[Mapping[str, FaultsOfShop]]]
"""The processes that run now, by name, every instance of a service for itself."""
NOBODY: Final = "no process of this shop holds a service {!r} now"


class FaultsEverywhere(FaultsOfShop):
    """The contract for the whole shop.

    A fault is on in every process that holds the service when it is switched on; one that is
    started later is well.
    """

    NAME = OperationsService.NAME

    def __init__(self, everybody: Everybody) -> None:
        self._everybody = everybody

    async def list_faults(self, request: ListFaults) -> FaultList:
        """See FaultsOfShop."""
        answers, missing = await self._all(lambda faults: faults.list_faults(request))
        told = [answer for answer in answers if isinstance(answer, FaultList)]
        standing: dict[str, list[FaultStanding]] = {}
        for each in (fault for answer in told for fault in answer.faults):
            standing.setdefault(each.service, []).append(each)
        return FaultList(
            is_allowed=any(answer.is_allowed for answer in told),
            services=sorted({name for answer in told for name in answer.services}),
            faults=[_joined(found) for _, found in sorted(standing.items())],
            missing=missing,
        )

    async def switch_fault_on(self, request: SwitchFaultOn) -> FaultStanding:
        """See FaultsOfShop. Raises what a process raises, when none did it."""
        told = spoken(request)
        answers, _ = await self._all(lambda faults: faults.switch_fault_on(told))
        done = [answer for answer in answers if isinstance(answer, FaultStanding)]
        if not done:
            raise _why(answers, request.service)
        fault = _joined(done)
        what = f"{request.service} is told to suffer {request.kind.value!r}"
        record(f"{what} in {', '.join(fault.processes)}")
        return fault

    async def clear_fault(self, request: ClearFault) -> Empty:
        """See FaultsOfShop. Raises what a process raises, unless all that hold it did it."""
        told = spoken(request)
        answers, _ = await self._all(lambda faults: faults.clear_fault(told))
        failed = [answer for answer in answers if isinstance(answer, EmporionError)]
        is_all = all(isinstance(error, NotFound) for error in failed)
        if len(failed) == len(answers) or not is_all:
            raise _why(answers, request.service)
        record(f"{request.service} is told to suffer nothing")
        return Empty()

    async def _all(
        self, order: Callable[[FaultsOfShop], Awaitable[T]]
    ) -> tuple[list[T | EmporionError], list[str]]:
        """What each process answers or raises, and the names of those that raised."""
        everybody = await self._everybody()
        answers = await asyncio.gather(*(_told(order, each) for each in everybody.values()))
        pairs = zip(everybody, answers, strict=True)
        return answers, [name for name, answer in pairs if isinstance(answer, EmporionError)]


async def _told(
    order: Callable[[FaultsOfShop], Awaitable[T]], faults: FaultsOfShop
) -> T | EmporionError:
    try:
        return await order(faults)
    except EmporionError as error:
        return error  # whoever asks for all looks at each


def _why(answers: Sequence[object], service: str) -> EmporionError:
    """Why nothing was done: what somebody said who has more to say than that it is not there."""
    errors = [answer for answer in answers if isinstance(answer, EmporionError)]
    known = [error for error in errors if not isinstance(error, NotFound)]
    return known[0] if known else NotFound(NOBODY.format(service))


def _joined(found: Sequence[FaultStanding]) -> FaultStanding:
    """One fault of several processes: it is over when it is over in the last."""
    last = max(found, key=lambda each: each.left_s)
    names = sorted({process for each in found for process in each.processes})
    return replace(last, processes=names)
