"""Checks of configured numbers."""

from __future__ import annotations

from mesbatch.errors import InvalidLimit


def check_count(name: str, value: object, *, least: int = 0, unknown: bool = False) -> None:
    """Raise `InvalidLimit` unless *value* is an integer and at least *least*, or None where *unknown* allows it.

    >>> check_count("permits", 3, least=1)
    """
    if unknown and value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidLimit(f"{name} must be an integer of at least {least}, got {value!r}")


def check_seconds(name: str, value: float, *, above: float | None = None) -> None:
    """Raise `InvalidLimit` unless *value* is a number of seconds: above *above*, or else at least 0."""
    if above is not None and not value > above:
        raise InvalidLimit(f"{name} must be above {above:g} seconds, got {value!r}")
    if not value >= 0:
        raise InvalidLimit(f"{name} must be at least 0 seconds, got {value!r}")
