"""Errors of a command as one line for a person: our words, or the database's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mesbatch.errors import MesbatchError


@contextmanager
def explained(sql: str = "") -> Iterator[None]:
    """Make a message of our errors, the system's and those of drivers, with the place in *sql*; let others pass."""
    try:
        yield
    except (MesbatchError, OSError, ImportError) as error:
        raise click.ClickException(_with_notes(str(error), error)) from error
    except Exception as error:
        if not any(cls.__name__ == "Error" for cls in type(error).__mro__):  # DB-API's base of a driver's errors
            raise
        text = f"the database says: {str(error).strip()}{_position(error, sql)}"
        raise click.ClickException(_with_notes(text, error)) from error


def _with_notes(text: str, error: BaseException) -> str:
    return "\n".join([text, *getattr(error, "__notes__", ())])


def _position(error: Any, sql: str) -> str:
    """Find the place of the error in *sql*: SQLite counts bytes, PostgreSQL characters from 1."""
    offset = getattr(error, "error_offset", -1)
    if offset is not None and offset >= 0:
        before = sql.encode()[:offset].decode(errors="ignore")
    elif position := getattr(getattr(error, "diag", None), "statement_position", None):
        before = sql[: int(position) - 1]
    else:
        return ""
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return f"\n(line {line}, character {column} of the statement)"
