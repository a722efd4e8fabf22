"""Sizes in bytes, written as people say them: ``64 * MiB``."""

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB

_SUFFIXES = {"B": 1, "KiB": KiB, "MiB": MiB, "GiB": GiB}
_READ = {**_SUFFIXES, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def format_bytes(nbytes: float) -> str:
    """Write a number of bytes for a person.

    Args:
        nbytes: The number of bytes.

    >>> format_bytes(8 * MiB), format_bytes(1536), format_bytes(12)
    ('8.0 MiB', '1.5 KiB', '12 B')
    """
    for suffix in ("GiB", "MiB", "KiB"):
        if abs(nbytes) >= _SUFFIXES[suffix]:
            return f"{nbytes / _SUFFIXES[suffix]:,.1f} {suffix}"
    return f"{nbytes:.0f} B"


def parse_bytes(text: str) -> int:
    """Read a size that a person wrote: a number and B, KiB, MiB or GiB, or kB, MB or GB; bytes without one of them.

    Args:
        text: The size, such as ``64MiB``.

    Raises:
        ValueError: *text* is not such a size.

    >>> parse_bytes("64MiB") == parse_bytes("64 MiB") == 64 * MiB
    True
    >>> parse_bytes("64MB")
    64000000
    """
    number = text.rstrip("BkKMGi ")
    suffix = text[len(number) :].strip() or "B"
    try:
        return int(float(number) * _READ[suffix])
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"{text!r} is no size: a size is a number and one of {', '.join(_READ)}") from None
