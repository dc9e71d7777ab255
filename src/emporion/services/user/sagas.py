"""The transaction over two services: a person is erased."""

from emporion.chassis.saga.definition import Saga, local, step
from emporion.contracts.vault import PersonOf, VaultService
from emporion.services.user.commands.erasing import Erase, ErasureSteps


def erase_person(steps: ErasureSteps, vault: VaultService) -> Saga[Erase]:
    """Forward only: once asked for, each step is repeated until it is done."""
    return Saga(
        "erase-person",
        version=1,
        input=Erase,
        steps=(
            local("close account", do=steps.close),
            step("destroy key", request=_whose, do=vault.destroy_key),
            local("announce", do=steps.announce),
        ),
    )


def _whose(erasing: Erase) -> PersonOf:
    return PersonOf(person_id=erasing.user_id)
