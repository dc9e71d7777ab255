"""Puts the vault together."""

from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.sealing.secret import PrivacyKeys
from emporion.contracts.vault import VaultService
from emporion.services.vault.adapters.aes import AesWrapping
from emporion.services.vault.adapters.sql import SqlKeys
from emporion.services.vault.api import VaultApi
from emporion.services.vault.commands import KeyCommands, Rewrapping
from emporion.services.vault.queries import KeyQueries


def build(needs: Needs) -> Assembly:
    """The service, not started.

    The setting `privacy_key` is the secret that the keys are wrapped with; `privacy_key_other`
    unwraps, too, and what it wraps is wrapped anew. Raises KeyError without the first.
    """
    store, wrapping = SqlKeys(), AesWrapping(PrivacyKeys.of(needs.settings))
    queries = KeyQueries(needs.database, store, wrapping)
    rewrapping = Rewrapping(needs.database, store, wrapping, clock=needs.runtime.clock)
    return Assembly(
        contract=VaultService,
        implementation=VaultApi(
            KeyCommands(needs.database, store, wrapping, runtime=needs.runtime),
            queries,
        ),
        alarms=(Alarm("vault: wrap keys anew", needs.runtime, rewrapping.run),),
        probes={"privacy key": queries.probe},
    )
