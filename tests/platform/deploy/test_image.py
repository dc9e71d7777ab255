"""The image and its pipeline, as far as files can be looked at: no Docker is needed here."""

import io
from pathlib import Path

import pytest
import yaml

from emporion.platform.cli.main import main
from emporion.platform.deploy.changed import changed
from emporion.platform.deploy.sbom import bill_of_materials
from emporion.platform.table_file import BadFile
from tests.platform.deploy.shops import committed_deployment
from tests.system.running import ROOT


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["src/emporion/services/order/commands.py"], ["order"]),
        (["deploy/cloudformation/emporion-order.yaml"], ["order"]),
        (["deploy/cloudformation/emporion-web.yaml"], ["web"]),
        (["src/emporion/services/email/domain.py", "docs/aws.md"], ["email"]),
        (["docs/aws.md", "tests/platform/test_contracts.py", "README.md"], []),
    ],
)
def test_a_change_concerns_the_services_that_it_touches(paths: list[str], expected: list[str]):
    assert changed(committed_deployment(), paths) == expected


@pytest.mark.parametrize("path", ["src/emporion/chassis/saga/run.py", "Dockerfile"])
def test_what_all_services_stand_on_concerns_all(path: str):
    deployment = committed_deployment()

    assert changed(deployment, [path]) == [one.name for one in deployment.deployed]


def test_changed_files_come_by_standard_input(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.stdin", io.StringIO("src/emporion/services/order/api.py\n"))

    with pytest.raises(SystemExit) as ended:
        main(["deploy", "changed"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == "order\n"


def test_the_bill_of_materials_has_every_locked_package_with_its_hashes():
    lock = ROOT / "requirements/image.lock"
    names = [line.partition("==")[0] for line in lock.read_text().splitlines() if "==" in line]

    document = bill_of_materials(lock, version="1")

    assert [one["name"] for one in document["components"]] == [name.lower() for name in names]
    assert all(one["hashes"] for one in document["components"])
    assert {"msgspec", "stripe", "pymongo"} <= {one["name"] for one in document["components"]}


def test_a_lock_without_packages_makes_no_bill(tmp_path: Path):
    (tmp_path / "image.lock").write_text("# nothing\n")

    with pytest.raises(BadFile):
        bill_of_materials(tmp_path / "image.lock", version="1")


def test_the_image_is_pinned_and_its_user_is_that_of_the_tasks():
    text = (ROOT / "Dockerfile").read_text()

    assert "slim-bookworm@sha256:" in text
    assert "USER 10001:10001" in text
    assert text.count("--require-hashes") == 2


def test_the_pipeline_deploys_only_after_tests_and_scan():
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yaml").read_text())["jobs"]
    steps = [step.get("name") or step.get("run") or step["uses"] for step in jobs["build"]["steps"]]

    assert jobs["build"]["needs"] == "test"
    assert jobs["deploy"]["needs"] == "build"
    assert steps.index("Scan") < steps.index('docker push "$IMAGE"')
