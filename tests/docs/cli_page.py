"""The page of the command line, made from click's own parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from mesbatch.cli import main

HEAD = """# Command line

`mesbatch COMMAND --help` shows the same. This page is made from the commands themselves; a test fails when it is stale.
"""
EXAMPLES = {
    "demo": "mesbatch demo --cids 2000\nmesbatch demo --serve",
    "deploy": "mesbatch deploy /srv/mes/deploy",
    "doctor": "mesbatch doctor\nmesbatch doctor --plan 7GiB",
    "export": 'mesbatch export --url sqlite:///warehouse.db --sql "select * from history" --out history.csv',
    "verify": "mesbatch verify history.csv history.parquet",
    "worker": "mesbatch worker --app trace_jobs:jobs --memory-limit 2GiB",
}


def page() -> str:
    context = click.Context(main, info_name="mesbatch")
    sections = [HEAD]
    for name in main.list_commands(context):  # type: ignore[attr-defined]
        command = main.get_command(context, name)  # type: ignore[attr-defined]
        sections.append("\n".join(_section(name, command)))
    return "\n".join(sections)


def _section(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"mesbatch {name}")
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    usage = " ".join([context.command_path, "[OPTIONS]", *(one.make_metavar(context) for one in arguments)])
    yield from (f"## mesbatch {name}", "", f"`{usage}`", "", _words(command.help or ""), "")
    yield from ("```sh", EXAMPLES[name], "```", "")
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if options:
        yield from ("| option | value | default | meaning |", "|---|---|---|---|")
        yield from (_row(one, context) for one in options)
        yield ""


def _row(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    help_text, told = re.fullmatch(r"(.*?)(?: \[default: (.*)\])?", _words(option.help or "")).groups()  # type: ignore[union-attr]
    default = "required" if option.required else told or _default(option)
    return f"| {names} | {_value(option, context)} | {default} | {help_text} |".replace("  ", " ")


def _value(option: click.Option, context: click.Context) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in option.type.choices)
    return "`" + option.make_metavar(context).removesuffix(" RANGE").replace("|", "`, `") + "`"


def _default(option: click.Option) -> str:
    told = option.to_info_dict()["default"]
    return "" if option.is_flag or not isinstance(told, str | int) else f"`{told}`"


def _words(text: str) -> str:
    """Join the lines of each paragraph."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))
