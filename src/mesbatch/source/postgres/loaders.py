"""Values of PostgreSQL that psycopg's own loaders would change: they come as they are, as text, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Format
from psycopg.types.json import JsonbLoader, JsonLoader
from psycopg.types.string import TextLoader

from mesbatch.source.documents import read_any_document, read_document
from mesbatch.source.postgres.oids import TEXT_IN_ARROW
from mesbatch.source.session import OnInvalidText, Session
from mesbatch.source.texts import decode_text

Buffer = Any  # of psycopg: bytes, bytearray or memoryview

# Types that neither the standard library nor JSON nor Arrow has: text as PostgreSQL writes it, whatever reads them.
AS_TEXT = ("record", *(f"{kind}{form}" for kind in ("int4", "int8", "num", "date", "ts", "tstz")
                       for form in ("range", "multirange")))  # fmt: skip

TEXTS = ("text", "varchar", "bpchar", "name", '"char"')
OTHERS = 0  # the loader of all types that have none

_types = psycopg.postgres.types


class _ExactJsonb(Loader):
    def load(self, data: Buffer) -> Any:
        return read_document(bytes(data))


class _ExactJson(Loader):
    def load(self, data: Buffer) -> Any:
        return read_any_document(bytes(data))


def prepare(cursor: Any, session: Session, *, columnar: bool) -> None:
    """Make *cursor* of *session* load what loses nothing, *columnar* as Arrow takes it.

    Loaders that an application has registered itself stay.
    """
    adapters: AdaptersMap = cursor.adapters
    text: Any = _text_loader(cursor.connection.info.encoding, session)
    for oid, loader in _loaders(columnar, text):
        if (present := adapters.get_loader(oid, Format.TEXT)) is not loader and _is_default(present):
            adapters.register_loader(oid, loader)


def _is_default(loader: type[Any] | None) -> bool:
    """Tell whether *loader* is one of psycopg itself."""
    if loader is None:
        return True
    if loader in (JsonLoader, JsonbLoader):
        return loader._loads is json.loads  # set_json_loads() puts another one there
    return loader.__module__.startswith("psycopg") and not issubclass(loader, JsonLoader | JsonbLoader)


def _text_loader(encoding: str, session: Session) -> type[Any] | None:
    """Find the loader of texts where psycopg's own does not do: it gives bytes from a database without an encoding."""
    checked = encoding == "ascii" or (encoding == "utf-8" and session.on_invalid_text != "raise")
    return _decoding(session.on_invalid_text) if checked else None


@cache
def _decoding(on_invalid_text: OnInvalidText) -> type[Loader]:
    """Make a loader of texts in UTF-8."""

    class Decoding(Loader):
        def load(self, data: Buffer) -> str:
            return decode_text(bytes(data), on_invalid_text)

    return Decoding


@cache
def _loaders(columnar: bool, text: type[Any] | None) -> list[tuple[int, type[Any]]]:
    return list(_find_loaders(columnar, text))


def _find_loaders(columnar: bool, text: type[Any] | None) -> Iterator[tuple[int, type[Any]]]:
    if text is not None:
        yield OTHERS, text
        yield from ((_types[name].oid, text) for name in TEXTS)
    plain = text or psycopg.adapters.get_loader(_types["text"].oid, Format.TEXT) or TextLoader
    for name in (*AS_TEXT, *(TEXT_IN_ARROW if columnar else ())):
        yield _types[name].oid, plain
    if not columnar:
        yield _types["json"].oid, _ExactJson
        yield _types["jsonb"].oid, _ExactJsonb
    yield _types["interval"].oid, _guarded(_types["interval"].oid, _check_has_no_months)
    for info in _types:
        if info.array_oid:
            yield info.array_oid, _guarded(info.array_oid, _check_begins_at_one)


def _check_has_no_months(data: bytes) -> None:
    if b"mon" in data or b"year" in data:
        raise ValueError("months have no fixed number of days")


def _check_begins_at_one(data: bytes) -> None:
    if data.startswith(b"["):
        raise ValueError("the bounds of an array do not begin at 1")


def _guarded(oid: int, check: Callable[[bytes], None]) -> type[Loader]:
    """Make a loader of psycopg's own for *oid* that runs *check* first, which raises ValueError."""
    base: Any = psycopg.adapters.get_loader(oid, Format.TEXT)

    class Guarded(Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._load = base(oid, context).load

        def load(self, data: Buffer) -> Any:
            check(bytes(data))
            return self._load(data)

    return Guarded
