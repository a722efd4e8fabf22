"""Errors of a command as a few lines for a person: what happened, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import click

from mesbatch.errors import InvalidExport, MesbatchError, UnknownSource

URLS = (
    "write sqlite:///FILE, postgresql://USER@HOST/DATABASE, oracle+oracledb://USER@HOST/?service_name=NAME, or another "
    "URL of SQLAlchemy whose dialect and driver are installed"
)
EXTRAS = {"adbc_driver_manager": "arrow", "obstore": "s3", "pyarrow": "arrow", "redis": "redis", "rq": "rq"}


@contextmanager
def explained(sql: str = "", secret: str | None = None, *, shift: int = 0) -> Iterator[None]:
    """Make a message of our errors, the system's and those of drivers, with the place in *sql*; let others pass.

    *secret* is shown in none. *shift* is the length of the text that was put before the statement of a person.
    """
    try:
        yield
    except UnknownSource as error:
        reason = f" ({error})" if error.__cause__ is not None else ""
        raise click.UsageError(_hidden(f"--url is of no database that can be read{reason}: {URLS}", secret)) from error
    except InvalidExport as error:
        raise click.UsageError(_with_notes(str(error), error)) from error
    except ImportError as error:
        raise click.UsageError(_missing(error)) from error
    except BrokenPipeError:
        raise
    except (MesbatchError, OSError, UnicodeError) as error:
        raise click.ClickException(_hidden(_with_notes(str(error), error), secret)) from error
    except Exception as error:
        if not any(cls.__name__ == "Error" for cls in type(error).__mro__):  # DB-API's base of a driver's errors
            raise
        text = f"the database says: {str(error).strip()}{_position(error, sql, shift)}"
        raise click.ClickException(_hidden(_with_notes(text, error), secret)) from error


def _missing(error: ImportError) -> str:
    module = (error.name or "").partition(".")[0]
    return f"this needs {module}: pip install 'mesbatch[{EXTRAS[module]}]'" if module in EXTRAS else str(error)


def _with_notes(text: str, error: BaseException) -> str:
    return "\n".join([text, *getattr(error, "__notes__", ())])


def _hidden(text: str, secret: str | None) -> str:
    for spelling in (secret, quote(secret, safe="")) if secret else ():
        text = text.replace(spelling, "***")
    return text


def _position(error: Any, sql: str, shift: int) -> str:
    """Find the place of the error in *sql*: SQLite counts bytes, PostgreSQL characters from 1."""
    offset = getattr(error, "error_offset", -1)
    if offset is not None and offset >= shift:
        before = sql.encode()[: offset - shift].decode(errors="ignore")
    elif position := getattr(getattr(error, "diag", None), "statement_position", None):
        before = sql[: int(position) - 1 - shift]
    else:
        return ""
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return f"\n(line {line}, character {column} of the statement)"
