"""A local Stripe: localstripe as a process of its own, with what it lacks and Stripe has.

`python -m tests.services.payment.stripe_server PORT`. It adds idempotency keys, the search by
metadata, that refunds never exceed a charge and that what is cancelled cannot be captured; and it
listens on this machine only.
"""

import json
import sys
from typing import Any

from aiohttp import web
from localstripe import server
from localstripe.resources import PaymentIntent, Refund, store

answers: dict[tuple[str, str], tuple[bytes, int, bytes]] = {}


@web.middleware
async def like_stripe(request: web.Request, handler: Any) -> web.StreamResponse:
    """Idempotency keys with their answers, refusals included, and refunds within the charge."""
    key = request.headers.get("Idempotency-Key")
    body = await request.read()
    place = (request.path, key or "")
    if key and place in answers:
        sent, status, said = answers[place]
        if sent != body:
            return refusal(400, "idempotency_error", "the key was used for another request")
        return web.Response(status=status, body=said, content_type="application/json")
    if request.path == "/v1/refunds" and request.method == "POST" and await is_too_much(request):
        return refusal(400, "invalid_request_error", "more than was charged", "charge_too_large")
    if request.path.endswith("/capture") and is_cancelled(request.path):
        return refusal(400, "invalid_request_error", "canceled", "payment_intent_unexpected_state")
    answer = await handler(request)
    if key and isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        answers[place] = (body, answer.status, answer.body)
    return answer  # type: ignore[no-any-return]


def is_cancelled(path: str) -> bool:
    """Whether the intent that a path is about was cancelled."""
    intent = PaymentIntent._api_retrieve(path.split("/")[3])
    return bool(intent._canceled)


def refusal(status: int, kind: str, message: str, code: str | None = None) -> web.Response:
    """An error in Stripe's form."""
    error = {"type": kind, "message": message, "code": code}
    return web.json_response({"error": error}, status=status)


async def is_too_much(request: web.Request) -> bool:
    """Whether all refunds would exceed the intent."""
    sent = await server.get_post_data(request)
    intent = PaymentIntent._api_retrieve(sent["payment_intent"])
    charge = intent.latest_charge.id
    done = [each for each in store.values() if isinstance(each, Refund) and each.charge == charge]
    total: int = sum(each.amount for each in done) + int(sent["amount"])
    return total > int(intent.amount)


async def search(request: web.Request) -> web.Response:
    """`metadata['name']:'value'`."""
    name, value = (part.strip("[]'") for part in request.query["query"][8:].split(":", 1))
    found = [
        each._export()
        for each in store.values()
        if isinstance(each, PaymentIntent) and each.metadata.get(name) == value
    ]
    text = json.dumps({"object": "search_result", "data": found, "has_more": False})
    return web.Response(text=text, content_type="application/json")


def main() -> None:
    """Serve until ended."""
    store.dump_to_disk = lambda: None
    made = PaymentIntent.__init__
    PaymentIntent.__init__ = lambda self, automatic_payment_methods=None, **sent: made(self, **sent)
    app = web.Application(middlewares=[like_stripe, *server.app.middlewares])
    app.router.add_get("/v1/payment_intents/search", search)
    for route in server.app.router.routes():
        if route.method != "HEAD" and route.resource is not None:
            app.router.add_route(route.method, route.resource.canonical, route.handler)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=say_ready)


def say_ready(_: str) -> None:
    """Whoever started this waits for it."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
