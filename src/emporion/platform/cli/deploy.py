"""`emporion deploy`: from topology and manifests to Amazon ECS."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emporion.platform.cli.exits import PROBLEM, refuse, say

if TYPE_CHECKING:
    from emporion.platform.deploy.deployment import Deployment

OptionsFile = Annotated[
    Path, typer.Option("--file", metavar="FILE", help="Region, size, topology: see docs/aws.md.")
]
DEFAULT_FILE = Path("deploy/shop.yaml")
Endpoint = Annotated[
    str, typer.Option("--endpoint-url", metavar="URL", help="An emulator, instead of AWS.")
]


def plan(
    *,
    file: OptionsFile = DEFAULT_FILE,
    deployed: Annotated[
        bool, typer.Option("--deployed", help="Compare with what runs on AWS, not with the files.")
    ] = False,
    endpoint_url: Endpoint = "",
) -> None:
    """Show what would change, and what the shop costs a month.

    For example:

      emporion deploy plan                what topology and manifests change in deploy/
      emporion deploy plan --deployed     what deploy/ changes on AWS
    """
    from emporion.platform.cli import tables
    from emporion.platform.deploy import cost
    from emporion.platform.deploy.changes import changes

    deployment = _deployment(file)
    before, after = _compared(deployment, deployed=deployed, endpoint_url=endpoint_url)
    found = changes(before, after)
    for change in found:
        print(change.show())
    print(f"{len(found)} changes." if found else "No changes.")
    of = cost.prices()
    bill = cost.bill(deployment, of)
    tables.show(
        ("USD a month", "what", "why"),
        [(f"{item.usd_month:.2f}", item.what, item.why) for item in bill],
    )
    print(f"{sum(item.usd_month for item in bill):.2f} USD a month, without traffic, logs and tax.")
    print(f"List prices of {of.region}, dated {of.dated}.")


def synth(
    *,
    file: OptionsFile = DEFAULT_FILE,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when a file is stale.")
    ] = False,
) -> None:
    """Write the stacks as CloudFormation into deploy/cloudformation (needs Node.js).

    For example:

      emporion deploy synth
      emporion deploy synth --check
    """
    from emporion.platform.deploy import synth as making

    templates = making.synthesize(_deployment(file))
    if check:
        stale = making.stale(templates)
        if stale:
            refuse("\n".join([*stale, "Run: make synth"]), code=PROBLEM)
        print(f"{len(templates)} templates are fresh.")
        return
    for path in making.write(templates):
        print(path)


def check(*, file: OptionsFile = DEFAULT_FILE) -> None:
    """Check the templates in deploy/cloudformation: rules of security, and the manifests' numbers.

    For example:

      emporion deploy check
    """
    from emporion.platform.deploy import check as rules
    from emporion.platform.deploy import synth as making

    templates = making.read()
    found = rules.check(templates, _deployment(file))
    if found:
        refuse("\n".join(finding.show() for finding in found), code=PROBLEM)
    resources = sum(len(template["Resources"]) for template in templates.values())
    print(f"{len(templates)} templates with {resources} resources: no finding.")


def apply(  # noqa: PLR0913 - each is an option of the command line
    *,
    tag: Annotated[str, typer.Option(metavar="TAG", help="Of the image that is deployed.")],
    file: OptionsFile = DEFAULT_FILE,
    service: Annotated[
        str, typer.Option(metavar="NAME", help="Only this one, and its migration.")
    ] = "",
    certificate: Annotated[
        str, typer.Option(metavar="ARN", help="Of the load balancer; needed the first time.")
    ] = "",
    services: Annotated[
        bool, typer.Option("--services/--no-services", help="Or only what they stand on.")
    ] = True,
    tasks: Annotated[
        bool, typer.Option("--tasks/--no-tasks", help="Prepare and migrate databases first.")
    ] = True,
    endpoint_url: Endpoint = "",
) -> None:
    """Deploy deploy/cloudformation to AWS, the whole shop or one service.

    For example:

      emporion deploy apply --tag v12 --certificate arn:aws:acm:...
      emporion deploy apply --tag v13 --service order
    """
    import asyncio

    from emporion.platform.deploy import synth as making
    from emporion.platform.deploy.apply import Release
    from emporion.platform.deploy.apply import apply as carry_out
    from emporion.platform.deploy.aws import Aws

    deployment = _deployment(file)
    release = Release(tag, certificate, service, has_services=services, runs_tasks=tasks)

    async def run() -> None:
        async with Aws(deployment.options.region, endpoint_url=endpoint_url) as aws:
            await carry_out(deployment, making.read(), release, aws=aws, say=say)

    asyncio.run(run())


def capacity(
    *,
    file: OptionsFile = DEFAULT_FILE,
    measured: Annotated[
        Path, typer.Option("--measured", metavar="FILE", help="Where CPU an order was written.")
    ] = Path("docs/performance.md"),
) -> None:
    """Reckon tasks, cost and limits at 1,000 to 100,000 orders a second; draw a flash sale.

    Writes docs/capacity.md and docs/flash-sale.svg. For example:

      emporion deploy capacity
    """
    from emporion.platform.deploy.capacity_page import PAGE, PICTURE, page, sale_picture
    from emporion.platform.deploy.cost import prices
    from emporion.platform.deploy.measured import cpu_us_per_order

    per_order = cpu_us_per_order(measured)
    PAGE.write_text(page(_deployment(file), per_order, prices()), "utf-8")
    PICTURE.write_text(sale_picture(per_order), "utf-8")
    print(f"{PAGE}\n{PICTURE}")


def changed(*, file: OptionsFile = DEFAULT_FILE) -> None:
    """Say which services to deploy, from paths of changed files on standard input.

    For example:

      git diff --name-only v12 | emporion deploy changed
    """
    import sys

    from emporion.platform.deploy.changed import changed as concerned

    paths = [line.strip() for line in sys.stdin]
    for name in concerned(_deployment(file), paths):
        print(name)


def sbom() -> None:
    """Print the bill of materials of the image (CycloneDX), from requirements/image.lock.

    For example:

      emporion deploy sbom > sbom.json
    """
    from importlib.metadata import version

    import msgspec

    from emporion.platform.deploy.sbom import bill_of_materials

    document = bill_of_materials(version=version("emporion"))
    print(msgspec.json.format(msgspec.json.encode(document), indent=1).decode())


def _deployment(file: Path) -> "Deployment":
    from emporion.platform.deploy.composing import compose
    from emporion.platform.deploy.manifest_file import manifests
    from emporion.platform.deploy.options import read_options

    return compose(read_options(file), manifests())


def _compared(
    deployment: "Deployment", *, deployed: bool, endpoint_url: str
) -> tuple[Mapping[str, Mapping[str, Any]], Mapping[str, Mapping[str, Any]]]:
    """What is, and what would be."""
    import asyncio

    import yaml

    from emporion.platform.deploy import synth as making
    from emporion.platform.deploy.aws import Aws

    committed = making.read()
    if not deployed:
        texts = making.synthesize(deployment)
        return committed, {Path(name).stem: yaml.safe_load(text) for name, text in texts.items()}

    async def running() -> dict[str, Mapping[str, Any]]:
        async with Aws(deployment.options.region, endpoint_url=endpoint_url) as aws:
            found = {name: await aws.template(name) for name in committed}
        return {name: template for name, template in found.items() if template is not None}

    return asyncio.run(running()), committed
