"""The headers of a message: who it is from, which it is, and the signatures."""

from collections.abc import Sequence

from emporion.services.webhook.ports import StoredHook
from emporion.services.webhook.queries import signing

AGENT = "emporion-webhook/1"


def secrets_of(hook: StoredHook, now_ms: int) -> Sequence[str]:
    """The secrets to sign by, the newest first."""
    if hook.old_secret and now_ms < hook.old_until_ms:
        return (hook.secret, hook.old_secret)
    return (hook.secret,)


def headers_of(hook: StoredHook, webhook_id: str, body: bytes, *, now_ms: int) -> dict[str, str]:
    """The headers of a message sent now."""
    timestamp_s = now_ms // 1_000
    return {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signing.signature(
            secrets_of(hook, now_ms), webhook_id=webhook_id, timestamp_s=timestamp_s, body=body
        ),
    }
