"""The bounds of the bus over a broker."""

from dataclasses import dataclass, field

from emporion.chassis.events.retry import BusConfig


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """How events are carried over a broker.

    Args:
        bus: the bounds of every bus. `bus.retention_s` must not be less than what the broker
            keeps: the inbox recognises a repetition for so long.
        relay_batch_max: events sent, acknowledged and marked together, 1..1,000.
        relay_linger_s: the least time between two such batches that are not full.
        relay_pause_s: after a failure, and until the broker says that it is back.
        held_s: an event that the broker refuses holds up its key, and is tried again after this.
        resend_window_s: how long an event is kept after the broker acknowledged it: longer than
            the broker's interval between two fsyncs (JetStream: two minutes), so that what a
            power cut took from it can be sent again.
        lease_s: how long an instance of a service carries its events without renewing that; the
            others take over after it died.
    """

    bus: BusConfig = field(default_factory=BusConfig)
    relay_batch_max: int = 256
    relay_linger_s: float = 0.1
    relay_pause_s: float = 1.0
    held_s: float = 60.0
    resend_window_s: float = 3_600.0
    lease_s: float = 15.0
