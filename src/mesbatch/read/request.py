"""A read as it was asked for, checked as far as that goes without asking the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from typing import Any, get_args

from mesbatch.batch import Column
from mesbatch.errors import InvalidKey, StatementError
from mesbatch.keys.choose import STRATEGIES, Order, StrategyName
from mesbatch.keys.collect import Keys, collect_keys
from mesbatch.read.fetch import Budget
from mesbatch.read.part import OnFailure
from mesbatch.source.connect import find_source
from mesbatch.source.paramstyle import ParamStyle
from mesbatch.source.session import OnInvalidText, Params, Source
from mesbatch.sql.keyed import PARAMSTYLES
from mesbatch.sql.query import check_reads, find_keys

Converters = list[Callable[[Any], Any] | None]  # what a SQLAlchemy type makes of the driver's value, by column


@dataclass(frozen=True)
class Request:
    """A checked read: *source* is None where *con* gives batches itself; *keys* that were in memory are sorted.

    *own_keys* are those keys where the caller did not collect them, so that nobody else will close them.

    *keyset* are the columns by which a read without keys is ordered, *after* the values of them after which it begins.

    *columnar* asks for Arrow record batches where they need not be made of tuples, for columns some of whose types the
    caller declares by *schema*.
    """

    sql: str
    con: Any
    source: Source | None
    params: Params
    converters: Callable[[tuple[Column, ...]], Converters | None] | None
    keys: Keys | Iterable[Any] | None
    key: str | None
    strategy: StrategyName
    order: Order
    on_failure: OnFailure
    budget: Budget
    batch_size: int | None
    timeout: float | None
    parallel: int
    consistent: bool
    splittable: bool
    paramstyle: ParamStyle | None = None
    on_invalid_text: OnInvalidText = "raise"
    own_keys: Keys | None = None
    columnar: bool = False
    schema: Any = None
    keyset: tuple[str, ...] = ()
    after: tuple[Any, ...] | None = None


def check_request(sql: Any, con: Any, params: Params, keys: Iterable[Any] | Keys | None, **options: Any) -> Request:
    """Raise for what cannot be read; see `read_sql_iter` for the errors."""
    _check_choice("strategy", options["strategy"], ("auto", *STRATEGIES))
    _check_choice("order", options["order"], ("key", "any"))
    _check_choice("on_failure", options["on_failure"], ("raise", "partial"))
    _check_choice("paramstyle", options["paramstyle"], (None, *PARAMSTYLES))
    _check_choice("on_invalid_text", options["on_invalid_text"], get_args(OnInvalidText))
    for name in ("batch_size", "timeout", "parallel"):
        check_positive(name, options[name])
    _check_keyset(options["keyset"], options["after"], keyed=keys is not None)
    if hasattr(con, "batches") or hasattr(con, "__arrow_c_stream__"):
        if keys is not None or params is not None or options["keyset"]:
            raise StatementError(
                "an object with batches() or __arrow_c_stream__() decides itself what is read: it takes no keys, no "
                "keyset and no params"
            )
        return Request(sql, con, None, None, None, None, **options)
    source = find_source(con, options["timeout"])
    if not source.owned and options["parallel"] > 1:
        raise ValueError(
            f"parallel={options['parallel']} needs more connections than {source.label}: pass an engine, pool or URL"
        )
    text, params, converters, key_converter = _as_text(sql, con, params, options["paramstyle"], keyed=keys is not None)
    text = check_reads(text)
    own_keys = None
    if keys is not None:
        find_keys(text)
        if not isinstance(keys, Iterable | Keys):
            raise InvalidKey(f"keys must be a collection of keys or an iterator, got a {type(keys).__name__}")
        if key_converter is not None and not isinstance(keys, Keys):
            keys = _converted(keys, key_converter)
        if not isinstance(keys, Keys) and isinstance(keys, Sized):  # an iterator is read with the first batch
            keys = own_keys = collect_keys(keys)
    return Request(text, con, source, params, converters, keys, own_keys=own_keys, **options)


def _check_keyset(keyset: tuple[str, ...], after: tuple[Any, ...] | None, *, keyed: bool) -> None:
    if keyset and keyed:
        raise StatementError("a read has keys or a keyset, not both: keys are a place to go on from already")
    if len(set(keyset)) < len(keyset):
        raise StatementError(f"keyset={', '.join(keyset)}: it must name each column once")
    if after is not None and len(after) != len(keyset):
        raise StatementError(f"after has {len(after)} values for the {len(keyset)} columns of keyset")


def check_positive(name: str, value: float | None) -> None:
    """Raise ValueError unless *value* is above zero, or None."""
    if value is not None and not value > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")


def _check_choice(name: str, value: object, allowed: tuple[str | None, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(filter(None, allowed))}; got {value!r}")


def _converted(keys: Iterable[Any], convert: Callable[[Any], Any]) -> Iterable[Any]:
    """The driver's values of *keys*; None stays, and is refused with the others that no row can have."""
    converted = (key if key is None else convert(key) for key in keys)
    return list(converted) if isinstance(keys, Sized) else converted


def _as_text(
    sql: Any, con: Any, params: Params, paramstyle: ParamStyle | None, *, keyed: bool
) -> tuple[
    str,
    Params,
    Callable[[tuple[Column, ...]], Converters | None] | None,
    Callable[[Any], Any] | None,
]:
    if isinstance(sql, str):
        return sql, params, None, None
    if not hasattr(sql, "compile"):
        raise StatementError(f"sql must be text or a SQLAlchemy statement, got {type(sql).__name__}")
    from mesbatch.source.sqlalchemy.statement import compile_statement

    return compile_statement(sql, con, params, keyed=keyed, paramstyle=paramstyle)
