"""Rows as bytes and back, every value with its own type; nothing is pickled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from operator import attrgetter
from struct import Struct
from types import GenericAlias, NoneType
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.msgpack import Decoder, Encoder

from mesbatch.batch import Row
from mesbatch.errors import SchemaChanged, UnencodableValue

# A column's kind is one type: that of all its values beside None, or one of these three.
EMPTY: type = NoneType  # only None so far
NATIVE: type = object  # values that MessagePack tells apart itself
TAGGED: type = list  # each value says its type: they differ, are lists, or do not fit the column otherwise

ARRAY, ARRAY_32 = Struct(">BI"), 0xDD  # MessagePack's header of an array, so that many rows are decoded in one call

NATIVE_TYPES = frozenset({bool, int, float, str, bytes})
TYPED = frozenset({Decimal, date, datetime, time, timedelta, UUID})  # written as text, read back by the column's type
# The zone and fold that msgspec keeps: any other offset becomes UTC.
PLAIN: dict[type, set[tuple[tzinfo | None, int]]] = {datetime: {(None, 0), (UTC, 0)}, time: {(None, 0)}}


class _Layout(NamedTuple):
    decoder: Decoder[list[Row]]
    tagged: tuple[int, ...]


class RowLayouts:
    """Writes and reads rows of *columns*: None, bool, int, float, str, bytes, Decimal, date, time, datetime, timedelta,
    UUID, network addresses, and lists, tuples and dicts of these come back with the same type and value.

    A time zone comes back as its offset from UTC. Rows that need no tags are written without a step of Python for each
    value. Kinds only widen, so there are at most two layouts a column; rows are kept with the number of their layout.

    >>> layouts = RowLayouts(("ID", "QTY"))
    >>> rows = [(1, Decimal("2.50")), (2, None)]
    >>> layouts.learn(rows)
    >>> layouts.decode(*layouts.encode(rows))
    [(1, Decimal('2.50')), (2, None)]
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._encoder = Encoder()
        self._written = bytearray()  # the bytes that `Encoder.encode` gives hold 512 in memory at least
        self._kinds: list[type] = [EMPTY] * len(columns)
        self._layouts = [_layout(self._kinds)]

    def learn(self, rows: Sequence[Row]) -> None:
        """Make sure that *rows*, one at least, can be encoded; many at once are cheaper.

        Raises:
            SchemaChanged: a row has more or fewer values than there are columns.
            UnencodableValue: a value is of no type that can be read back; the message names its column.
        """
        if set(map(len, rows)) - {len(self._columns)}:
            width = next(len(row) for row in rows if len(row) != len(self._columns))
            raise SchemaChanged(f"a row has {width} values for the {len(self._columns)} columns")
        self._widen([_kind(values, name) for name, values in zip(self._columns, zip(*rows))])

    def encode(self, rows: Sequence[Row]) -> tuple[int, list[bytes]]:
        """Encode *rows* that were learned: their layout, and a piece each; raises as `learn` for values in lists."""
        try:
            return self._encode(rows)
        except (OverflowError, UnicodeEncodeError):  # an int of over 64 bits, a lone surrogate: rarely worth a look
            self._widen([TAGGED if not self._fits(values) else EMPTY for values in zip(*rows)])
            return self._encode(rows)

    def decode(self, layout: int, pieces: Sequence[bytes]) -> list[Row]:
        """Decode the rows of *pieces*."""
        return self.decode_payload(layout, len(pieces), b"".join(pieces))

    def decode_payload(self, layout: int, num_rows: int, payload: bytes) -> list[Row]:
        """Decode the *num_rows* rows of *payload*, pieces one after the other."""
        decoder, tagged = self._layouts[layout]
        rows = decoder.decode(ARRAY.pack(ARRAY_32, num_rows) + payload)
        if not tagged or not rows:  # an extent of neighbouring groups need not hold a row of each
            return rows
        columns: list[Any] = list(zip(*rows))
        for position in tagged:
            columns[position] = map(_untag, columns[position])
        return list(zip(*columns))

    def _encode(self, rows: Sequence[Row]) -> tuple[int, list[bytes]]:
        tagged = self._layouts[-1].tagged
        encode_into, written, pieces = self._encoder.encode_into, self._written, []
        for row in self._tag_columns(rows, tagged) if tagged else rows:
            encode_into(row, written)
            pieces.append(bytes(written))
        return len(self._layouts) - 1, pieces

    def _tag_columns(self, rows: Sequence[Row], positions: tuple[int, ...]) -> list[Row]:
        columns: list[Any] = list(zip(*rows))
        for position in positions:
            try:
                columns[position] = [_tag(value) for value in columns[position]]
            except UnencodableValue as error:
                raise UnencodableValue(f"column {self._columns[position]!r} holds {error}") from None
        return list(zip(*columns))

    def _fits(self, values: Sequence[Any]) -> bool:
        try:
            self._encoder.encode([value for value in values if type(value) in NATIVE_TYPES])
        except (OverflowError, UnicodeEncodeError):
            return False
        return True

    def _widen(self, found: list[type]) -> None:
        kinds = [_wider(kind, other) for kind, other in zip(self._kinds, found)]
        if kinds != self._kinds:
            self._kinds = kinds
            self._layouts.append(_layout(kinds))


def _layout(kinds: Sequence[type]) -> _Layout:
    types = [kind | None if kind in TYPED else Any for kind in kinds]
    row = GenericAlias(tuple, tuple(types))
    tagged = tuple(position for position, kind in enumerate(kinds) if kind is TAGGED)
    return _Layout(Decoder(GenericAlias(list, row)), tagged)


def _kind(values: Sequence[Any], column: str) -> type:
    types = set(map(type, values)) - {NoneType}
    if not types:
        return EMPTY
    if types <= NATIVE_TYPES:
        return NATIVE
    if unknown := types - _TAGS.keys() - NATIVE_TYPES:
        raise UnencodableValue(f"column {column!r} holds a {' and a '.join(map(_full_name, unknown))}")
    only = types.pop()
    return only if not types and only in TYPED and _is_plain(only, values) else TAGGED


def _is_plain(kind: type, values: Sequence[Any]) -> bool:
    return kind not in PLAIN or set(map(attrgetter("tzinfo", "fold"), filter(None, values))) <= PLAIN[kind]


def _wider(one: type, other: type) -> type:
    if EMPTY in (one, other) or one is other:
        return one if other is EMPTY else other
    return TAGGED


def _tag(value: Any) -> Any:
    kind = type(value)
    if kind not in _TAGS:
        if kind in NATIVE_TYPES or value is None:
            return value
        raise UnencodableValue(f"a list of a {_full_name(kind)}")
    tag, pack = _TAGS[kind]
    return tag, pack(value)


def _untag(value: Any) -> Any:
    return _UNPACK[value[0]](value[1]) if type(value) is list else value


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _parts(delta: timedelta) -> tuple[int, int, int]:
    return delta.days, delta.seconds, delta.microseconds


def _zoned(value: Any) -> tuple[str, int, tuple[int, int, int] | None]:
    """Give text, fold and offset: `fromisoformat` of Python 3.11 reads an offset of less than a second as 0."""
    text, offset = value.replace(tzinfo=None).isoformat(), value.utcoffset()
    if offset is None and value.tzinfo is not None:
        raise UnencodableValue(f"{value!r}, whose time zone has no offset")
    return text, value.fold, None if offset is None else _parts(offset)


def _unzoned(read: Callable[[str], Any], packed: tuple[str, int, tuple[int, int, int] | None]) -> Any:
    text, fold, offset = packed
    return read(text).replace(fold=fold, tzinfo=None if offset is None else timezone(timedelta(*offset)))


def _tag_members(members: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return [(_tag(name), _tag(value)) for name, value in members.items()]


# By tag: a type, how its values are written, how they are read.
_PACKINGS: tuple[tuple[type, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (int, "{:x}".format, lambda digits: int(digits, 16)),
    (str, lambda text: text.encode("utf-8", "surrogatepass"), lambda data: data.decode("utf-8", "surrogatepass")),
    (Decimal, str, Decimal),
    (date, date.isoformat, date.fromisoformat),
    (datetime, _zoned, partial(_unzoned, datetime.fromisoformat)),
    (time, _zoned, partial(_unzoned, time.fromisoformat)),
    (timedelta, _parts, lambda parts: timedelta(*parts)),
    (UUID, str, UUID),
    (list, lambda values: [_tag(value) for value in values], lambda values: [_untag(value) for value in values]),
    (tuple, lambda values: [_tag(value) for value in values], lambda values: tuple(map(_untag, values))),
    (dict, _tag_members, lambda members: {_untag(name): _untag(value) for name, value in members}),
    *((kind, str, kind) for kind in (IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network)),
)
_TAGS = {kind: (tag, pack) for tag, (kind, pack, _) in enumerate(_PACKINGS)}
_UNPACK = [unpack for _, _, unpack in _PACKINGS]
