"""Puts the vault together."""

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.vault import VaultService
from emporion.services.vault.adapters.aes import AesWrapping
from emporion.services.vault.adapters.sql import SqlKeys
from emporion.services.vault.api import VaultApi
from emporion.services.vault.commands import KeyCommands
from emporion.services.vault.queries import KeyQueries


def build(needs: Needs) -> Assembly:
    """The service, not started.

    The setting `privacy_key` is the secret that the keys are wrapped with. Raises KeyError
    without it.
    """
    store, wrapping = SqlKeys(), AesWrapping(needs.settings["privacy_key"])
    queries = KeyQueries(needs.database, store, wrapping)
    return Assembly(
        contract=VaultService,
        implementation=VaultApi(
            KeyCommands(needs.database, store, wrapping, runtime=needs.runtime),
            queries,
        ),
        probes={"privacy key": queries.probe},
    )
