"""The parameters of a statement, as the command line gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import click

from mesbatch.source.databases import database_of_scheme
from mesbatch.sql.tokens import tokenize

_PYFORMAT = re.compile(r"%\((\w+)\)[sbt]")


def read_parameters(pairs: Sequence[str], sql: str, url: str) -> dict[str, str] | None:
    """The values of ``name=value`` by their names, held against the binds of *sql*; None where it has none.

    PostgreSQL's binds are written ``%(name)s``, all others ``:name``.

    Raises:
        click.UsageError: one is missing, too much, given twice or no pair.
    """
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--param takes name=value, got {pair!r}")
        if name in given:
            raise click.UsageError(f"--param {name} is given twice")
        given[name] = value
    database = database_of_scheme(urlsplit(url).scheme)
    style = ":{}" if database is None else database.named_bind
    wanted = _names_in(sql, style)
    for what, names in (("missing", wanted - given.keys()), ("too much", given.keys() - wanted)):
        if names:
            shown = ", ".join(style.format(name) for name in sorted(names))
            raise click.UsageError(
                f"parameter {what}: {shown}; the statement has {', '.join(sorted(wanted)) or 'none'}"
            )
    return given or None


def _names_in(sql: str, style: str) -> set[str]:
    if style.startswith("%"):
        return set(_PYFORMAT.findall(sql))
    binds = (token.text for token in tokenize(sql) if token.kind == "bind" and token.text.startswith(":"))
    return {bind[1:].strip('"') for bind in binds} - {"keys"}
