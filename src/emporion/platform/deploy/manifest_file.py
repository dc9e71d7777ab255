"""Reading `service.yaml`: every mistake is named by file and line."""

import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

from emporion.platform.deploy.manifest import (
    FARGATE_MEMORY_MB,
    Alarms,
    AutoScaling,
    Manifest,
    Rollout,
    Strategy,
)
from emporion.platform.services import SERVICES
from emporion.platform.settings import SECRET
from emporion.platform.topology.kinds import Engine
from emporion.platform.topology.model import ENGINES_OF
from emporion.platform.topology.nodes import Notes, Value, parse, suggestion

REQUIRED: Final = (
    "service", "owner", "image", "cpu", "memory", "desired_count", "load_balancer", "auto_scaling",
)  # fmt: skip
TASKS_MAX: Final = 500
MEMORY_MB_MAX: Final = 122_880
PORT_MAX: Final = 65_535
LOG_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)
"""How long CloudWatch can keep logs."""
_WORD: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_IMAGE: Final = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,200}")
_PATH: Final = re.compile(r"/[A-Za-z0-9/_-]{0,200}")


def manifests() -> Mapping[str, Manifest]:
    """Those of all services of the shop, by name. Raises BadFile with the mistakes of the first."""
    folder = files("emporion.services")
    return {
        name: parse_manifest(
            (folder / name / "service.yaml").read_text("utf-8"), f"{name}/service.yaml", name
        )
        for name in SERVICES
    }


def parse_manifest(text: str, file: str, service: str) -> Manifest:
    """The manifest of `service` in a text that came from `file`.

    Raises BadFile with every mistake, each naming its line.
    """
    notes = Notes(file)
    root = parse(text, notes, rule="a manifest begins with `service:`")
    parts = root.known_entries((*REQUIRED, *_READERS))
    for key in REQUIRED:
        if key not in parts:
            notes.add(root.line, "", f"the key {key!r} is missing")
    notes.raise_mistakes()
    manifest = _read(parts, root)
    _check(manifest, parts, service)
    notes.raise_mistakes()
    return manifest


def _read(parts: Mapping[str, Value], root: Value) -> Manifest:
    balancer = _all_of(parts["load_balancer"], ("target_group", "container_port"))
    return Manifest(
        service=parts["service"].text(),
        owner=_matching(parts["owner"], _WORD, "a team is a lower-case word"),
        image=_matching(parts["image"], _IMAGE, "an image is named by its repository, no tag"),
        cpu=parts["cpu"].number(1, max(FARGATE_MEMORY_MB)),
        memory=parts["memory"].number(1, MEMORY_MB_MAX),
        desired_count=parts["desired_count"].number(1, TASKS_MAX),
        target_group=balancer["target_group"].text() if "target_group" in balancer else "",
        container_port=(
            balancer["container_port"].number(1, PORT_MAX) if "container_port" in balancer else 0
        ),
        auto_scaling=_auto_scaling(parts["auto_scaling"]),
        **{key: read(parts[key]) for key, read in _READERS.items() if key in parts},
        place=root.place,
    )


def _all_of(value: Value, keys: tuple[str, ...]) -> Mapping[str, Value]:
    parts = value.known_entries(keys)
    for key in keys:
        if key not in parts:
            value.wrong(f"the key {key!r} is missing")
    return parts


def _matching(value: Value, pattern: re.Pattern[str], rule: str) -> str:
    text = value.text()
    if text and not pattern.fullmatch(text):
        value.wrong(f"{text!r} cannot stand here: {rule}")
    return text


def _numbers(value: Value, ranges: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    parts = value.known_entries(tuple(ranges))
    return {key: part.number(*ranges[key]) for key, part in parts.items()}


def _auto_scaling(value: Value) -> AutoScaling:
    ranges = {
        "min_capacity": (1, TASKS_MAX),
        "max_capacity": (1, TASKS_MAX),
        "cpu_threshold": (10, 90),
        "requests_per_target": (0, 1_000_000),
        "backlog_per_task": (0, 1_000_000),
        "loop_lag_ms": (0, 10_000),
    }
    found = _numbers(value, ranges)
    for key in ("min_capacity", "max_capacity", "cpu_threshold"):
        if key not in found:
            value.wrong(f"the key {key!r} is missing")
            found[key] = 1
    return AutoScaling(**found)


def _alarms(value: Value) -> Alarms:
    ranges = {
        "error_percent": (1, 100),
        "latency_ms_p99": (1, 60_000),
        "backlog_age_s": (1, 1_209_600),
        "saga_age_s": (1, 1_209_600),
    }
    return Alarms(**_numbers(value, ranges))


def _rollout(value: Value) -> Rollout:
    if not value.is_mapping:
        return Rollout(value.kind(Strategy, Strategy.ROLLING))
    parts = value.known_entries(("strategy", "canary_percent", "bake_minutes"))
    strategy, numbers = Strategy.ROLLING, Rollout()
    if "strategy" in parts:
        strategy = parts["strategy"].kind(Strategy, strategy)
    return Rollout(
        strategy,
        parts["canary_percent"].number(1, 99)
        if "canary_percent" in parts
        else numbers.canary_percent,
        parts["bake_minutes"].number(0, 1_440) if "bake_minutes" in parts else numbers.bake_minutes,
    )


def _words(value: Value) -> tuple[str, ...]:
    return tuple(item.text() for item in value.items())


_READERS: Final[Mapping[str, Callable[[Value], Any]]] = {
    "health_path": lambda value: _matching(value, _PATH, "a path begins with /"),
    "engine": lambda value: value.kind(Engine, Engine.POSTGRES),
    "secrets": _words,
    "alarms": _alarms,
    "rollout": _rollout,
    "service_connect": lambda value: value.truth(),
    "log_days": lambda value: value.number(1, LOG_DAYS[-1]),
}
"""What may be left out: how each is read when it is there."""


def _check(manifest: Manifest, parts: Mapping[str, Value], service: str) -> None:
    """Note what does not fit together."""
    if manifest.service and manifest.service != service:
        parts["service"].wrong(f"this is the manifest of {service}; write `service: {service}`")
    _check_size(manifest, parts)
    _check_count(manifest, parts)
    fitting = ENGINES_OF.get(service, ())
    if "engine" in parts and manifest.engine not in fitting:
        parts["engine"].wrong(f"{service} has no adapter for it; use {' or '.join(fitting)}")
    for name in manifest.secrets:
        if name not in SECRET:
            parts["secrets"].wrong(f"no secret {name!r}; {suggestion(name, sorted(SECRET))}")
    if manifest.log_days not in LOG_DAYS:
        known = ", ".join(f"{days}" for days in LOG_DAYS)
        parts["log_days"].wrong(f"CloudWatch keeps logs for {known} days")


def _check_size(manifest: Manifest, parts: Mapping[str, Value]) -> None:
    sizes = FARGATE_MEMORY_MB.get(manifest.cpu)
    if sizes is None:
        known = ", ".join(f"{cpu}" for cpu in FARGATE_MEMORY_MB)
        parts["cpu"].wrong(f"Fargate has no {manifest.cpu} CPU units; it has {known}")
    elif manifest.memory not in sizes:
        parts["memory"].wrong(
            f"with {manifest.cpu} CPU units Fargate has {sizes[0]} to {sizes[-1]} MB in steps of "
            f"{sizes.step}, not {manifest.memory}"
        )


def _check_count(manifest: Manifest, parts: Mapping[str, Value]) -> None:
    scaling = manifest.auto_scaling
    if scaling.min_capacity > scaling.max_capacity:
        parts["auto_scaling"].wrong("min_capacity is more than max_capacity")
    elif not scaling.min_capacity <= manifest.desired_count <= scaling.max_capacity:
        parts["desired_count"].wrong(
            f"{manifest.desired_count} is not between min_capacity {scaling.min_capacity} and "
            f"max_capacity {scaling.max_capacity}"
        )
