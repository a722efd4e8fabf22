"""The command line: a group of commands that are imported on use."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {  # a module holds the command under the same name
    "demo": "mesbatch.cli.demo",
    "deploy": "mesbatch.cli.deploy",
    "doctor": "mesbatch.cli.doctor",
    "export": "mesbatch.cli.export",
    "verify": "mesbatch.cli.verify",
    "worker": "mesbatch.cli.worker",
}


class LazyGroup(click.Group):
    """A group that imports only the command that runs: `mesbatch demo --help` must not wait for drivers."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.command(cls=LazyGroup)
@click.version_option(package_name="mesbatch")
def main() -> None:
    """Read any query, for any number of keys, in flat memory."""
