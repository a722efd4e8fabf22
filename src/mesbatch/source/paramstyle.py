"""DB-API's word for how a driver writes binds, as its own module tells it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Literal

ParamStyle = Literal["qmark", "named", "format", "pyformat"]


def paramstyle_of(connection: Any) -> str:
    """The paramstyle of the module that *connection* comes from, or of one around it; empty where none tells it.

    DB-API lets a connection have the driver's exceptions as attributes: they come from the module, too.

    >>> import sqlite3
    >>> paramstyle_of(sqlite3.connect(":memory:")), paramstyle_of(object())
    ('qmark', '')
    """
    error = getattr(type(connection), "Error", None)
    classes = [*type(connection).__mro__, *(error.__mro__ if isinstance(error, type) else ())]
    styles = (getattr(sys.modules.get(name), "paramstyle", None) for cls in classes for name in _around(cls.__module__))
    return next((style for style in styles if isinstance(style, str)), "")


def _around(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]
