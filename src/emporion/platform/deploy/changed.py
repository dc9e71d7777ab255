"""Which ECS services a change concerns, from the paths of the files that it touched."""

import re
from collections.abc import Iterable
from typing import Final

from emporion.platform.deploy.deployment import Deployment

_SERVICE: Final = re.compile(r"src/emporion/services/([a-z_]+)/")
_TEMPLATE: Final = re.compile(r"deploy/cloudformation/(.+)\.yaml")
_CODE: Final = ("src/", "requirements/", "contracts/", "Dockerfile", "pyproject.toml")


def changed(deployment: Deployment, paths: Iterable[str]) -> list[str]:
    """The names of the ECS services to deploy, in the order of the topology.

    What lies in a service's folder, or in its template, concerns the process that holds it. Other
    code is in every process. What is no code (docs, tests) concerns none.
    """
    holder = {name: one.name for one in deployment.ecs_services for name in one.services}
    own = {f"{deployment.options.name}-{one.name}": one.name for one in deployment.deployed}
    names = [one.name for one in deployment.deployed]
    found: set[str] = set()
    for path in paths:
        service, template = _SERVICE.match(path), _TEMPLATE.fullmatch(path)
        if service is not None and service[1] in holder:
            found.add(holder[service[1]])
        elif template is not None:
            found |= {own[template[1]]} if template[1] in own else set(names)
        elif path.startswith(_CODE):
            found |= set(names)
    return [name for name in names if name in found]
