"""Rows as bytes and back, every value with its own type; nothing is pickled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from operator import attrgetter
from types import GenericAlias, NoneType
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.msgpack import Decoder, Encoder

from mesbatch.batch import Row
from mesbatch.errors import SchemaChanged, UnencodableValue

# What MessagePack itself tells apart.
NATIVE = frozenset({bool, int, float, str, bytes})
# What msgspec writes as text and reads back exactly when it is told the type.
TYPED = frozenset({Decimal, date, datetime, time, timedelta, UUID})
SUPPORTED = NATIVE | TYPED | {list, NoneType}


class Kind:
    """How a column's values are written: as they are, of one type, or each with a tag that tells its type."""
