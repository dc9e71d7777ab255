"""The app of the CDK: all stacks of a deployment."""

from pathlib import Path

import aws_cdk as cdk

from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.stacks.audit import audit_stack
from emporion.platform.deploy.stacks.bus import bus_stack
from emporion.platform.deploy.stacks.dashboard import dashboard_stack
from emporion.platform.deploy.stacks.data import data_stack
from emporion.platform.deploy.stacks.network import network_stack
from emporion.platform.deploy.stacks.service import service_stack
from emporion.platform.deploy.stacks.tasks import tasks_stack


def build(deployment: Deployment, folder: Path) -> cdk.App:
    """The app, whose templates go into `folder` when it is synthesized."""
    app = cdk.App(analytics_reporting=False, outdir=str(folder))
    shared = (network_stack, data_stack, bus_stack, tasks_stack, audit_stack, dashboard_stack)
    for make in shared:
        make(app, deployment)
    for one in deployment.deployed:
        service_stack(app, deployment, one)
    return app
