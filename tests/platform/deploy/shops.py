"""The deployment that the tests look at, put together once."""

import copy
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from emporion.platform.deploy.composing import compose
from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.manifest_file import manifests
from emporion.platform.deploy.options import read_options
from emporion.platform.deploy.synth import FOLDER, read
from tests.system.running import ROOT


@cache
def committed_deployment() -> Deployment:
    """Put together on another thread: it runs a loop of its own, and a test may be in one."""
    with ThreadPoolExecutor(max_workers=1) as aside:
        options = read_options(ROOT / "deploy/shop.yaml")
        return aside.submit(compose, options, manifests()).result()


def committed_templates() -> dict[str, dict[str, Any]]:
    """A copy each time: tests break them."""
    return copy.deepcopy(_templates())


@cache
def _templates() -> dict[str, dict[str, Any]]:
    return read(ROOT / FOLDER)
