"""The types of keys that come as text from a file, as a caller names them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from ipaddress import ip_interface
from typing import Any
from uuid import UUID

from mesbatch.errors import InvalidExport


def _network_address(text: str) -> str:
    """Check an address; it stays text, which is how databases compare it."""
    ip_interface(text)
    return text


KEY_TYPES: dict[str, Callable[[str], Any]] = {
    "text": str,
    "int": int,
    "numeric": Decimal,
    "float": float,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "uuid": UUID,
    "inet": _network_address,
    "oid": int,
}


def key_type_maker(name: str) -> Callable[[str], Any]:
    """Find the function that makes keys of the type *name*.

    Raises:
        InvalidExport: there is no such type.

    >>> key_type_maker("int")("7")
    7
    """
    try:
        return KEY_TYPES[name]
    except KeyError:
        raise InvalidExport(f"no type of keys {name!r}; the types are {', '.join(KEY_TYPES)}") from None
