"""Passwords for a database's URL, from where neither `ps` nor a log can see them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import click

VARIABLE = "MESBATCH_PASSWORD"


def check_has_none(url: str) -> str:
    """Raise for a URL with a password in it, which every user of the machine could read in `ps`; never shows it."""
    parts = urlsplit(url)
    if parts.password is not None or any(name == "password" for name, _ in parse_qsl(parts.query)):
        raise click.UsageError(
            f"--url has a password in it, which everybody can read in `ps`: leave it out, and set {VARIABLE}, name a "
            "file by --password-file or be asked by --ask-password"
        )
    return url


def find_password(from_variable: str | None, file: Path | None, *, ask: bool) -> str | None:
    """The password, by the most explicit way that was asked for; None where there is none."""
    if ask:
        answer: str = click.prompt("Password", hide_input=True, err=True)
        return answer
    if file is not None:
        return file.read_text().rstrip("\r\n")
    return from_variable


def with_password(url: str, password: str | None) -> str:
    """*url* with *password* in it, for the driver alone."""
    if not password:
        return url
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host if at else parts.netloc}"))
