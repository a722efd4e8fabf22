"""Bytes with damage: flipped, overwritten, cut, doubled, exchanged, or replaced by other ones."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

_PIECES = [b"", b"\0", b"\xff", b"\n", b"[", b"]", b"{", b"}", b'"', b",", b"\\", b"null", b"-1", b"1e999", b"9" * 30]
_PIECES += [
    b"[" * 5_000,
    b'{"a":' * 5_000,
    b"\xed\xa0\x80",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\\ud800",
    b"NaN",
    b"true",
    b'""',
]
_PIECES += [b"\0" * 64, b"\xff" * 8, b"00000000", b"mesb"]


def seeds() -> st.SearchStrategy[int]:
    """Seeds for `damaged`: hypothesis would take a draw for each byte."""
    return st.integers(0, 2**32)


def damaged(data: bytes, seed: int) -> bytes:
    """Damage *data* once or a few times."""
    chance = Random(seed)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        data = _damaged(data, chance)
    return data


def _damaged(data: bytes, chance: Random) -> bytes:
    at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    match chance.choice(["bit", "bit", "byte", "put in", "put over", "cut", "take out", "double", "shift", "replace"]):
        case "bit" if data:
            at = chance.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case "byte" if data:
            at = chance.randrange(len(data))
            return data[:at] + chance.randbytes(1) + data[at + 1 :]
        case "put in":
            return data[:at] + chance.choice(_PIECES) + data[at:]
        case "put over":
            piece = chance.choice(_PIECES)
            return data[:at] + piece + data[at + len(piece) :]
        case "cut":
            return data[:at]
        case "take out":
            return data[:at] + data[to:]
        case "double":
            return data[:to] + data[at:to] + data[to:]
        case "shift":
            return data[to:] + data[:to]
        case _:
            return chance.choice([b"", chance.randbytes(len(data)), chance.randbytes(20), bytes(len(data))])
