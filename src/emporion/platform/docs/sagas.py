"""The sagas, from their definitions: steps forward, and what takes each of them back."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emporion.platform.docs.source import ServiceSource, last_word, services


@dataclass(frozen=True, slots=True)
class DrawnStep:
    """A step as written: its name, what does it and what undoes it; `undo` may be empty."""

    name: str
    do: str
    undo: str


def pictures(root: Path) -> str:
    """A picture per saga, in the order in which they are written."""
    drawn = [
        _picture(name, service, steps)
        for service in services(root)
        for name, steps in sagas_of(service)
    ]
    return "\n\n".join(drawn)


def sagas_of(service: ServiceSource) -> Iterator[tuple[str, list[DrawnStep]]]:
    """Every `Saga("name", ..., steps=(...))` of a service."""
    for call in service.calls("Saga"):
        if call.args and isinstance(call.args[0], ast.Constant):
            yield str(call.args[0].value), list(_steps(call))


def _steps(saga: ast.Call) -> Iterator[DrawnStep]:
    for keyword in saga.keywords:
        if keyword.arg == "steps" and isinstance(keyword.value, ast.Tuple):
            yield from (_step(node) for node in keyword.value.elts if isinstance(node, ast.Call))


def _step(call: ast.Call) -> DrawnStep:
    words = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    name = call.args[0].value if isinstance(call.args[0], ast.Constant) else last_word(call.args[0])
    return DrawnStep(str(name), words.get("do", ""), words.get("undo", ""))


def _picture(name: str, service: ServiceSource, steps: list[DrawnStep]) -> str:
    lines = [f"**{name}** (in {service.name})", "", "```mermaid", "flowchart LR"]
    for number, step in enumerate(steps):
        lines.append(f'    s{number}["{step.name}<br/><small>{step.do}</small>"]')
    lines += [f"    s{number} --> s{number + 1}" for number in range(len(steps) - 1)]
    for number, step in enumerate(steps):
        if step.undo:
            lines.append(f'    s{number} -. "undo" .-> u{number}(["{step.undo}"])')
    return "\n".join([*lines, "```"])
