"""The .proto file of the standard batch method: how busy callers send many calls in one message."""

from emporion.chassis.surfaces.proto_model import ProtoField, ProtoFile, ProtoMessage, ProtoMethod

PACKAGE = "emporion.calls.v1"
SERVICE = "CallsService"
EXCHANGE = "Exchange"
CALLS, CALL, OUTCOMES, OUTCOME, ERROR = (
    f"{PACKAGE}.{name}" for name in ("Calls", "Call", "Outcomes", "Outcome", "Error")
)

_MESSAGES = (
    ProtoMessage(
        "Calls",
        (
            ProtoField(
                "authorization",
                "string",
                number=1,
                note="Who asks: what the `authorization` metadata of a single call would hold.",
            ),
            ProtoField("calls", "repeated Call", number=2, note="Calls to begin, at most 1000."),
            ProtoField(
                "cancelled",
                "repeated int64",
                number=3,
                note="Ids of calls for whose outcome nobody waits any more.",
            ),
        ),
        "Calls of one caller that travel together.",
    ),
    ProtoMessage(
        "Call",
        (
            ProtoField(
                "id", "int64", number=1, note="Chosen by the caller; used once in a stream."
            ),
            ProtoField(
                "method",
                "string",
                number=2,
                note="The method's full name, like `emporion.order.v1.OrderService/GetOrder`.",
            ),
            ProtoField(
                "request",
                "bytes",
                number=3,
                note="The encoded request; an idempotency key is a field of it.",
            ),
            ProtoField(
                "timeout_us",
                "int64",
                number=4,
                note="The time left when it was sent; 0: the method's own timeout.",
            ),
            ProtoField("traceparent", "string", number=5, note="W3C trace context; may be empty."),
        ),
        "One call, independent of the others in its message.",
    ),
    ProtoMessage(
        "Outcomes",
        (
            ProtoField("outcomes", "repeated Outcome", number=1, note="In the order of ending."),
            ProtoField(
                "is_draining",
                "bool",
                number=2,
                note="The server is about to stop: send further calls elsewhere, end the stream.",
            ),
        ),
        "What came of calls, of whichever have ended by now.",
    ),
    ProtoMessage(
        "Outcome",
        (
            ProtoField("id", "int64", number=1),
            ProtoField("reply", "bytes", number=2, note="The encoded reply, unless it failed."),
            ProtoField("error", "optional Error", number=3, note="Why it failed."),
        ),
        "What came of one call.",
    ),
    ProtoMessage(
        "Error",
        (
            ProtoField("slug", "string", number=1, note="The named condition: `out-of-stock`."),
            ProtoField("category", "string", number=2, note="gRPC's word: `FailedPrecondition`."),
            ProtoField("detail", "string", number=3, note="A sentence for people."),
            ProtoField("fields", "string", number=4, note="Its members, a JSON object; or empty."),
            ProtoField(
                "is_retried",
                "bool",
                number=5,
                note="A layer below has retried already: do not add to it.",
            ),
            ProtoField(
                "is_not_begun",
                "bool",
                number=6,
                note="Nothing was done; the same call may safely go to another instance.",
            ),
        ),
        "An error. A single call carries it in the trailer `emporion-error-bin`.",
    ),
)

CALLS_FILE = ProtoFile(
    path="emporion/calls/v1/calls.proto",
    package=PACKAGE,
    imports=(),
    messages=_MESSAGES,
    enums=(),
    service=SERVICE,
    methods=(
        ProtoMethod(
            EXCHANGE,
            CALLS,
            OUTCOMES,
            "Many calls over one stream, of any methods that the server has.\n\n"
            "The rules are those of single calls. A stream that ends with the status OK has "
            "answered every call that was begun.",
            is_streamed=True,
        ),
    ),
    note="Many calls in one message, because a message costs far more than a call.",
)
