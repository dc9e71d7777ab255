"""Who calls whom: from `clients.get(SomeService)` and what is then asked of it."""

import ast
from pathlib import Path

from emporion.contracts.contract import rpcs
from emporion.platform.docs.source import ServiceSource, contracts, last_word, services


def picture(root: Path) -> str:
    """An arrow per caller and callee, with the methods that are called."""
    lines = ["```mermaid", "flowchart LR"]
    lines += [f"    {service.name}" for service in services(root)]
    for service in services(root):
        for callee, methods in calls_of(service).items():
            said = "<br/>".join(methods)
            lines.append(f'    {service.name} -- "{said}" --> {callee}')
    return "\n".join([*lines, "```"])


def calls_of(service: ServiceSource) -> dict[str, list[str]]:
    """The services that this one calls, and the methods it asks of each."""
    found: dict[str, list[str]] = {}
    for call in service.calls("get"):
        asked = [contracts().get(last_word(argument)) for argument in call.args]
        for contract in asked:
            if contract is not None:
                found[contract.NAME] = []
    for name, contract in contracts().items():
        if contract.NAME in found:
            found[contract.NAME] = _methods(service, name, set(rpcs(contract)))
    return dict(sorted(found.items()))


def _methods(service: ServiceSource, contract: str, known: set[str]) -> list[str]:
    """Methods asked of variables and attributes that hold a client of this contract."""
    holders = set(_holders(service, contract))
    used = {
        node.attr
        for node in service.nodes
        if isinstance(node, ast.Attribute)
        and node.attr in known
        and last_word(node.value).lstrip("_") in holders
    }
    return sorted(used)


def _holders(service: ServiceSource, contract: str) -> list[str]:
    """The names that are annotated as, or assigned from, a client of this contract."""
    names = []
    for node in service.nodes:
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                if last_word(annotation) == contract:
                    names.append(name)
            case ast.AnnAssign(target=target, annotation=annotation):
                if last_word(annotation) == contract:
                    names.append(last_word(target))
            case ast.Assign(targets=[target], value=ast.Call(args=[argument])):
                if last_word(argument) == contract:
                    names.append(last_word(target))
            case _:
                pass  # holds nothing
    return [name.lstrip("_") for name in names]
