"""The command line: a group whose commands are imported when they are asked for."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "demo": "mesbatch.cli.demo",
    "doctor": "mesbatch.cli.doctor",
    "worker": "mesbatch.cli.worker",
}  # a module holds the command under the same name


class LazyGroup(click.Group):
    """Imports only the command that runs: `mesbatch demo --help` must not wait for drivers."""

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
