"""Values of the commands' options, read and checked: sizes, parameters of a statement, passwords."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import click

from mesbatch.cli.problems import explained
from mesbatch.source.databases import database_of_scheme, is_file_scheme
from mesbatch.sql.tokens import tokenize
from mesbatch.units import parse_bytes

PASSWORD_VARIABLE = "MESBATCH_PASSWORD"  # noqa: S105  # the name of one
_PYFORMAT = re.compile(r"%\((\w+)\)[sbt]")


def parse_size(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """Read ``512MiB`` as bytes; the callback of an option."""
    if text is None:
        return None
    try:
        size = parse_bytes(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if size < 1:
        raise click.BadParameter(f"must be above 0, got {text}")
    return size


def read_parameters(pairs: Sequence[str], sql: str, url: str) -> dict[str, str] | None:
    """Read pairs ``name=value`` and compare their names with the binds of *sql*; None where there are no pairs.

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
            example = style.format("low")
            raise click.UsageError(
                f"parameter {what}: {shown}; the statement has {', '.join(sorted(wanted)) or 'none'}. This driver's "
                f'style is {example}: "... where id > {example}" takes --param low=7'
            )
    return given or None


def check_keys(sql: str, *, given: bool) -> None:
    """Refuse a statement that has ``:keys`` where no file of keys is *given*."""
    if not given and any(token.kind == "bind" and token.text == ":keys" for token in tokenize(sql)):
        raise click.UsageError("the statement has :keys: name a file of keys, one a line, by --keys")


def read_schema(context: click.Context, parameter: click.Parameter, pairs: Sequence[str]) -> dict[str, Any] | None:
    """Read pairs ``column=type`` with Arrow's names of types; None where there are no pairs.

    Raises:
        click.UsageError: one is no pair, names no type, or a column is given twice.
    """
    schema: dict[str, Any] = {}
    for pair in pairs:
        column, equals, text = pair.rpartition("=")
        if not equals or not column:
            raise click.UsageError(f"--schema takes column=type, got {pair!r}")
        if column in schema:
            raise click.UsageError(f"--schema {column} is given twice")
        with explained():
            from mesbatch.arrow.types import read_type
        try:
            schema[column] = read_type(text)
        except ValueError as error:
            raise click.UsageError(f"--schema {column}: {error}") from error
    return schema or None


def _names_in(sql: str, style: str) -> set[str]:
    if style.startswith("%"):
        return set(_PYFORMAT.findall(sql))
    binds = (token.text for token in tokenize(sql) if token.kind == "bind" and token.text.startswith(":"))
    return {bind[1:].strip('"') for bind in binds} - {"keys"}


def check_no_password(url: str) -> str:
    """Refuse a URL with a password in it, which every user of the machine could read in `ps`; give back any other."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise click.UsageError(f"--url is no URL: {error}") from None
    if parts.password is not None or any(name == "password" for name, _ in parse_qsl(parts.query)):
        raise click.UsageError(
            "--url has a password in it, which everybody can read in `ps`: leave it out, and set "
            f"{PASSWORD_VARIABLE}, name a file by --password-file or be asked by --ask-password"
        )
    return url


def find_password(from_variable: str | None, file: Path | None, *, ask: bool) -> str | None:
    """Find the password by the most explicit way that was asked for; None where there is none."""
    if ask:
        answer: str = click.prompt("Password", hide_input=True, err=True)
        return answer
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.UsageError(f"--password-file {file} is no UTF-8") from None  # which would show a byte of it
    return from_variable


def with_password(url: str, password: str | None) -> str:
    """Put *password* into *url*, for the driver alone; a database that is a file takes none."""
    parts = urlsplit(url)
    if not password or is_file_scheme(parts.scheme):
        return url
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host if at else parts.netloc}"))
