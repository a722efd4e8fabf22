"""Preferences of a client in ``Accept`` and ``Accept-Encoding`` (RFC 9110)."""

from __future__ import annotations

from collections.abc import Sequence


def best_of(header: str, offered: Sequence[str]) -> str | None:
    """Choose what the client of *header* likes best of *offered*, whose order decides between equals; None if nothing.

    The most specific entry decides about each; other parameters than ``q`` change nothing.

    >>> best_of("text/csv;q=0.5, application/*, */*;q=0.1", ["text/csv", "application/json"])
    'application/json'
    >>> best_of("*/*, text/csv;q=0", ["text/csv"])
    """
    entries = list(map(_entry, filter(None, map(str.strip, header.split(",")))))
    rated = [(_rate(entries, name), -place, name) for place, name in enumerate(offered)]
    (quality, _), _, name = max(rated, default=((0.0, 0), 0, ""))
    return name if quality > 0 else None


def quality_of(header: str, name: str) -> float:
    """Tell how much the client of *header* likes *name*: from 0, not at all, to 1.

    >>> quality_of("gzip;q=0.5, *;q=0.2", "gzip"), quality_of("*", "gzip"), quality_of("", "gzip")
    (0.5, 1.0, 0.0)
    """
    return _rate(list(map(_entry, filter(None, map(str.strip, header.split(","))))), name)[0]


def preferences(header: str) -> set[str]:
    """List the preferences of ``Prefer`` (RFC 7240) that have no value.

    >>> sorted(preferences('respond-async, wait=10; foo, Return=minimal'))
    ['respond-async']
    """
    found = (text.partition(";")[0].strip().lower() for text in header.split(","))
    return {text for text in found if text and "=" not in text}


def _entry(text: str) -> tuple[str, float]:
    name, *parameters = text.lower().split(";")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            return name.strip(), _number(value)
    return name.strip(), 1.0


def _number(text: str) -> float:
    """Read a quality; one that is none is no acceptance."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 <= found <= 1 else 0.0


def _rate(entries: list[tuple[str, float]], name: str) -> tuple[float, int]:
    """Give the quality of *name* and how specific the entry is that says so."""
    ranges = (name, f"{name.partition('/')[0]}/*", "*/*" if "/" in name else "*")
    for rank, text in enumerate(ranges):
        found = [quality for entry, quality in entries if entry == text]
        if found:
            return max(found), len(ranges) - rank
    return 0.0, 0
