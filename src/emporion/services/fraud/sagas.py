"""The transaction over several services: a person rejects an order, and it is called off."""

from emporion.chassis.saga.definition import Saga, local, step
from emporion.contracts.order import CallOffOrder, OrderService
from emporion.kernel.errors import FailedPrecondition, NotFound
from emporion.services.fraud.commands.reviews import Rejection, ReviewSteps

REASON = "rejected by a review"
"""What the order says. Why, and who, stays here: customers read their orders."""


def reject_order(review: ReviewSteps, order: OrderService) -> Saga[Rejection]:
    """Decide, then call off until it is done; a refusal opens the review again."""
    return Saga(
        "reject-order",
        version=1,
        input=Rejection,
        steps=(
            local("decide review", do=review.reject, undo=review.reopen),
            step("call off order", request=_called_off, do=order.call_off),
        ),
        refusals=(FailedPrecondition, NotFound),
    )


def _called_off(rejection: Rejection) -> CallOffOrder:
    return CallOffOrder(order_id=rejection.order_id, reason=REASON)
