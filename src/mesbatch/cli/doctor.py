"""`mesbatch doctor`: the sizes for a machine, or the faults of a set-up that runs."""

from __future__ import annotations

import click

from mesbatch.cli.options import parse_size
from mesbatch.cli.problems import explained


@click.command()
@click.option("--plan", "total", callback=parse_size, help="Share the memory of such a machine, such as 7GiB.")
def doctor(total: int | None) -> None:
    """Look at the set-up that runs here, with the environment of its web server, and say what to do.

    Fails when it finds a problem.
    """
    from mesbatch.doctor import examine, make_plan
    from mesbatch.settings import Settings

    with explained():
        if total is not None:
            click.echo(str(make_plan(total)))
            return
        findings = list(examine(Settings.from_env()))
    for finding in findings:
        click.echo(str(finding))
    if any(finding.grade == "problem" for finding in findings):
        raise click.exceptions.Exit(1)
