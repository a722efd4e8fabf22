"""Lists of a SQLAlchemy statement other than its keys, which it writes out only when it executes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BindParameter, Select, cast, false, null, select
from sqlalchemy.sql.elements import ClauseList
from sqlalchemy.sql.operators import comma_op
from sqlalchemy.sql.visitors import replacement_traverse


def write_lists(statement: Select[Any], params: Mapping[str, Any]) -> Select[Any]:
    """Give each list of *statement*, such as that of ``in_([1, 2])``, a bind for each of its values, but for the keys.

    *params* has the values of those that were given only a name.
    """

    def written(element: Any, **kwargs: Any) -> Any:
        if not isinstance(element, BindParameter) or not element.expanding or element.key == "keys":
            return None
        values = params.get(element.key, element.effective_value)
        if not values:
            return select(cast(null(), element.type)).where(false()).scalar_subquery()
        if isinstance(values[0], tuple):
            return None  # each database has its own words for them
        binds = [BindParameter(None, value, type_=element.type, unique=True) for value in values]
        return ClauseList(*binds, operator=comma_op, group=True).self_group()

    replaced: Select[Any] = replacement_traverse(statement, {}, written)  # type: ignore[assignment]
    return replaced
