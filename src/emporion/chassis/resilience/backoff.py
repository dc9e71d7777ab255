"""How long to wait before a retry: exponential, with full jitter."""

from emporion.kernel.ids import Randomness

BASE_S = 0.025
CEILING_S = 1.0


def backoff_s(retry: int, random: Randomness) -> float:
    """Seconds before the retry numbered from 1: uniform in [0, min(ceiling, base * 2**retry)).

    Full jitter, so that callers that failed together do not come back together.
    """
    ceiling_s: float = min(CEILING_S, BASE_S * 2.0 ** min(retry, 20))
    return random.uniform(0.0, ceiling_s)
