"""How a saga is told: in a list, and with everything that is known of it."""

from emporion.chassis.saga.desk import SagaDesk, SagaStanding
from emporion.contracts.operations import SagaSummary
from emporion.contracts.operations_desk import SagaDetails, SagaStep
from emporion.kernel.clock import to_datetime
from emporion.platform.desk.holdings import Holdings


def summary_of(service: str, standing: SagaStanding, held: Holdings, now_ms: int) -> SagaSummary:  # noqa: PLR0917 - what it is made of
    """A saga as lists show it."""
    next_at_ms = standing.next_at_ms
    return SagaSummary(
        saga_id=standing.saga_id,
        service=service,
        name=standing.name,
        state=standing.state,
        step=standing.step,
        attempts=standing.attempts,
        age_s=_age_s(standing, now_ms),
        last_error=standing.last_error,
        next_attempt_at=None if next_at_ms is None else to_datetime(next_at_ms),
        order_id=held.order_id,
        money_held=held.money,
        units_held=held.units,
        is_money_known=held.is_money_known,
        is_units_known=held.is_units_known,
    )


def details_of(
    service: str, desk: SagaDesk, standing: SagaStanding, *, held: Holdings, now_ms: int
) -> SagaDetails:
    """A saga with its steps, its refusal and what is held for it."""
    next_at_ms = standing.next_at_ms
    return SagaDetails(
        saga_id=standing.saga_id,
        service=service,
        name=standing.name,
        version=standing.version,
        state=standing.state,
        step=standing.step,
        steps=[SagaStep(name=name, is_undoable=can) for name, can in desk.steps(standing)],
        attempts=standing.attempts,
        started_at=to_datetime(standing.started_at_ms),
        age_s=_age_s(standing, now_ms),
        last_error=standing.last_error,
        next_attempt_at=None if next_at_ms is None else to_datetime(next_at_ms),
        refusal=standing.refusal.decode(),
        trace_id=standing.trace_id,
        order_id=held.order_id,
        money_held=held.money,
        units_held=held.units,
        is_money_known=held.is_money_known,
        is_units_known=held.is_units_known,
    )


def _age_s(standing: SagaStanding, now_ms: int) -> float:
    return max(0, now_ms - standing.started_at_ms) / 1000
