"""The ``o2o`` command: each subcommand says what it did, where the result lies and what to do next."""

from __future__ import annotations

import click

from o2o_mining.cli.diff import diff
from o2o_mining.cli.doctor import doctor
from o2o_mining.cli.evaluate import evaluate
from o2o_mining.cli.export import export
from o2o_mining.cli.merchants import merchants
from o2o_mining.cli.offers import offers
from o2o_mining.cli.portal import portal
from o2o_mining.cli.quarantine import quarantine
from o2o_mining.cli.run import run
from o2o_mining.cli.simulate import simulate
from o2o_mining.cli.status import status
from o2o_mining.cli.trace import trace


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="o2o-mining", prog_name="o2o")
def main() -> None:
    """Mine online orders and offline redemptions: segments, attribution, and files to work with."""


for command in (run, simulate, evaluate, status, doctor, export, offers, diff, trace, quarantine, merchants, portal):
    main.add_command(command)
