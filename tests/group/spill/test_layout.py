"""Every value comes back as it was, and one that cannot is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Interface
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import SchemaChanged, UnencodableValue
from mesbatch.group.spill.layout import RowLayouts
from mesbatch.testing import strategies
from mesbatch.testing.strategies import COLUMNS, SCALARS
from tests.rig.batches import exactly


@pytest.mark.parametrize("kind", SCALARS)
@given(data=st.data())
def test_a_value_comes_back_with_its_type(kind, data):
    rows = data.draw(st.lists(st.tuples(st.one_of(st.none(), SCALARS[kind])), min_size=1))
    layouts = RowLayouts(("v",))
    layouts.learn(rows)
    assert exactly(layouts.decode(*layouts.encode(rows))) == exactly(rows)


@given(strategies.batches())
def test_what_was_encoded_before_a_type_was_met_is_still_read(batches):
    layouts = RowLayouts(COLUMNS)
    lists_of_rows = [rows for _, rows in batches if rows]
    encoded = []
    for rows in lists_of_rows:
        layouts.learn(rows)
        encoded.append(layouts.encode(rows))
    assert exactly([layouts.decode(*one) for one in encoded]) == exactly(lists_of_rows)
    assert max((layout for layout, _ in encoded), default=0) <= 2 * len(COLUMNS)


@pytest.mark.parametrize("text", ["NaN", "sNaN123", "-Infinity", "-0.00", "1E+400", "1E+999999999999999999"])
def test_a_special_decimal_comes_back(text):
    layouts = RowLayouts(("v",))
    layouts.learn([(Decimal(text),)])
    assert layouts.decode(*layouts.encode([(Decimal(text),)]))[0][0].as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize(
    "value",
    [
        {"a": [Decimal("1.50"), {"b": (1, None)}], "": {}},
        (1, (Decimal(2), "x")),
        [{1: b"x"}],
        IPv4Address("10.0.0.1"),
        IPv6Interface("2001:db8::1/32"),
        IPv4Network("10.0.0.0/8"),
    ],
    ids=repr,
)
def test_documents_and_addresses_come_back(value):
    layouts = RowLayouts(("v",))
    rows = [(value,), (None,), ([value],)]
    layouts.learn(rows)
    assert exactly(layouts.decode(*layouts.encode(rows))) == exactly(rows)


def test_of_a_time_zone_its_offset_is_kept():
    layouts = RowLayouts(("v",))
    late = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    layouts.learn([(late,)])
    [(value,)] = layouts.decode(*layouts.encode([(late,)]))
    assert value.utcoffset() == timedelta(hours=1)
    assert value.astimezone(UTC) == late.astimezone(UTC)


def test_a_time_without_an_offset_is_refused():
    layouts = RowLayouts(("v",))
    rows = [(time(2, 30, tzinfo=ZoneInfo("Europe/Berlin")),)]
    layouts.learn(rows)
    with pytest.raises(UnencodableValue, match=r"column 'v' holds .* has no offset"):
        layouts.encode(rows)


class Text(str):
    """A text that would come back as another type."""

    __slots__ = ()


@pytest.mark.parametrize("value", [Text("a"), object(), {1}, 1j])
def test_a_value_of_another_type_is_refused(value):
    layouts = RowLayouts(("id", "v"))
    with pytest.raises(UnencodableValue, match="column 'v' holds a "):
        layouts.learn([(1, None), (2, value)])


def test_a_row_of_another_length_is_refused():
    with pytest.raises(SchemaChanged, match="1 values for the 2 columns"):
        RowLayouts(("id", "v")).learn([(1, 2), (1,)])


def test_values_that_messagepack_tells_apart_cost_no_tags():
    layouts, rows = RowLayouts(("v",)), [(True,), (1,), (1.5,), ("a",), (b"a",), (None,)]
    layouts.learn(rows)
    assert layouts.encode(rows)[1] == list(map(msgspec.msgpack.encode, rows))


def test_nulls_before_the_first_value_of_a_column_cost_no_tags():
    row, late, early = (Decimal("2.50"),), RowLayouts(("v",)), RowLayouts(("v",))
    late.learn([(None,), (None,)])
    late.learn([row])
    early.learn([row])
    assert late.encode([row])[1] == early.encode([row])[1]


@pytest.mark.parametrize("value", [1, UUID(int=1), [1], "\ud800"], ids=["native", "typed", "list", "surrogate"])
def test_no_pieces_are_no_rows_whatever_the_layout(value):
    """An extent holds neighbouring groups, and not always a row of the one that is looked for."""
    layouts = RowLayouts(("v",))
    layouts.learn([(value,)])
    layout, _ = layouts.encode([(value,)])
    assert layouts.decode(layout, []) == []
