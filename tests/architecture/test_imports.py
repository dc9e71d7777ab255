"""The seven import contracts hold, and each of them catches what it is there to catch."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Planted:
    """A line that must not be there: appended to a module, which is made when it is missing."""

    contract: str
    module: str
    line: str

    def __str__(self) -> str:
        return f"{self.contract}: {self.line or 'a stray file'} in {self.module}"


LAYERS = ("service", "api", "events", "sagas", "commands", "queries", "adapters", "ports", "domain")
PLANTED = [
    Planted("storeys", "kernel/money.py", "import emporion.contracts.words"),
    Planted("storeys", "contracts/order.py", "import emporion.chassis.calls.context"),
    Planted("storeys", "chassis/calls/clients.py", "import emporion.services.planted"),
    Planted("storeys", "services/planted/commands.py", "import emporion.platform"),
    Planted("storeys", "web/pages.py", "import emporion.platform.cli"),
    Planted("storeys", "utils.py", ""),
    Planted("service-layers", "services/planted/utils.py", ""),
    Planted(
        "service-layers", "services/planted/domain.py", "import emporion.services.planted.ports"
    ),
    Planted(
        "service-layers", "services/planted/ports.py", "import emporion.services.planted.queries"
    ),
    Planted(
        "service-layers", "services/planted/queries.py", "import emporion.services.planted.api"
    ),
    Planted("service-layers", "services/planted/events.py", "import emporion.services.planted.api"),
    Planted("independence", "services/planted/commands.py", "import emporion.services.inventory"),
    Planted("independence", "services/planted/queries.py", "import emporion.services.payment"),
    Planted("domain", "services/planted/domain.py", "import emporion.contracts.order"),
    Planted("domain", "services/planted/domain.py", "import emporion.chassis.calls.context"),
    Planted("domain", "services/planted/domain.py", "import jinja2"),
    Planted("domain", "services/planted/domain.py", "import asyncio"),
    Planted("foundation", "kernel/ids.py", "import uuid_utils"),
    Planted("foundation", "contracts/words.py", "import jinja2"),
    Planted("engines", "services/planted/commands.py", "import apsw"),
    Planted("engines", "services/planted/queries.py", "import emporion.chassis.data.sqlite"),
    Planted("engines", "chassis/saga/port.py", "import emporion.chassis.data.sqlite"),
    Planted("pages", "web/visit.py", "import emporion.services.order.queries"),
    Planted("pages", "web/storefront/cart.py", "import emporion.chassis.data.database"),
]


@pytest.fixture(scope="module")
def planted_tree(tmp_path_factory):
    """A copy of the source with an empty service beside the real ones, to plant in."""
    root = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", root)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", root / "src", ignore=ignored)
    planted = root / "src/emporion/services/planted"
    planted.mkdir()
    for name in ("__init__", *LAYERS):
        (planted / f"{name}.py").write_text('"""Nothing yet."""\n')
    return root


def lint_imports(root: Path, contract: str = "") -> subprocess.CompletedProcess[str]:
    """Run the checker over a tree, for all contracts or for one."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
    ]
    command += ["--no-logo", *(["--contract", contract] if contract else [])]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_every_import_contract_holds():
    checked = lint_imports(ROOT)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Contracts: 7 kept, 0 broken." in checked.stdout


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_import_is_caught(planted, planted_tree):
    module = planted_tree / "src/emporion" / planted.module
    before = module.read_text() if module.exists() else None
    module.parent.mkdir(exist_ok=True)
    module.write_text(f"{before or ''}\n{planted.line}\n")
    try:
        checked = lint_imports(planted_tree, planted.contract)
    finally:
        module.write_text(before) if before is not None else module.unlink()

    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "Contracts: 0 kept, 1 broken." in checked.stdout


def test_every_contract_has_a_planted_violation():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    contracts = {line.split('"')[1] for line in lines if line.startswith('id = "')}

    assert contracts == {planted.contract for planted in PLANTED}
