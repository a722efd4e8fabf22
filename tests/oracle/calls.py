"""The calls of a session that is logged in: execute, fetch, commit and their like."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.oracle.columns import Column, describe_message
from tests.oracle.cursors import Cursor, answer_rows
from tests.oracle.database import Database
from tests.oracle.dialect import Translated, translate
from tests.oracle.failures import OraError
from tests.oracle.faults import Fault, Plan, find_hint
from tests.oracle.lobs import Lobs
from tests.oracle.packets import Wire
from tests.oracle.plsql import run_block
from tests.oracle.primitives import Reader
from tests.oracle.protocol import LOBS, Call, Execute, Profile, Type
from tests.oracle.replies import NO_PARAMETERS, Ending, out_binds
from tests.oracle.values import decode_bind
from tests.oracle.varrays import read_object

QUERIES = frozenset({"SELECT", "WITH"})
BLOCKS = frozenset({"BEGIN", "DECLARE", "CALL"})
LATE = 32_767  # bytes; longer binds come after all others

BindType = tuple[int, int, int, bytes | None]  # type, form of the character set, size, and the oid of an object's type
Count = Callable[..., None]


class Calls:
    """The calls that a session answers for its client; *fault* belongs to the answer that is sent next."""

    def __init__(
        self, database: Database, wire: Wire, profile: Profile, plan: Plan, ending: Ending, lobs: Lobs, tell: Count
    ) -> None:
        self.database, self._wire, self._profile = database, wire, profile
        self._plan, self._ending, self._lobs, self._tell = plan, ending, lobs, tell
        self.cursors: dict[int, Cursor] = {}
        self.fault: Fault | None = None
        self._numbers = count(1)

    def answer(self, call: Call, reader: Reader) -> bytes:
        """The answer to *call*, without the message that ends a response."""
        self.fault = None
        reply = self._dispatch(call, reader)
        self._ending.in_transaction = self.database.in_transaction
        return reply or self._ending.status()

    def _dispatch(self, call: Call, reader: Reader) -> bytes:
        match call:
            case Call.EXECUTE:
                return self._execute(reader)
            case Call.REEXECUTE | Call.REEXECUTE_AND_FETCH:
                return self._reexecute(reader, fetch=call == Call.REEXECUTE_AND_FETCH)
            case Call.FETCH:
                cursor, wanted = reader.ub(), reader.ub()
                return self._rows(self._cursor(cursor), wanted)
            case Call.LOB:
                return self._lobs.answer(reader, self._ending)
            case Call.COMMIT:
                self.database.commit()
            case Call.ROLLBACK:
                self.database.rollback()
        return b""

    def _cursor(self, number: int) -> Cursor:
        try:
            return self.cursors[number]
        except KeyError:
            raise OraError(1001, "invalid cursor") from None

    def _new_cursor(self, sql: str, statement: Translated) -> Cursor:
        cursor = Cursor(next(self._numbers), sql, statement, find_hint(sql))
        self.cursors[cursor.id] = cursor
        self._tell("parses")
        return cursor

    def _open_empty(self, columns: list[Column]) -> int:
        cursor = self._new_cursor("", Translated("", "SELECT"))
        cursor.columns, cursor.described = columns, True
        return cursor.id

    def _execute(self, reader: Reader) -> bytes:
        options, number = Execute(reader.ub()), reader.ub()
        has_sql = reader.u8()
        reader.skip("n1n11n")
        wanted = reader.ub()
        reader.skip("n1")
        binds = reader.ub()
        reader.skip("111111")
        defines = reader.ub()
        reader.skip("n111n1nn1n1" + ("1n1n1" if self._profile.field_version >= 8 else ""))
        reader.skip("1n" if self._profile.field_version >= 9 else "")
        sql = (reader.blob() or b"").decode() if has_sql else None
        items = [reader.ub() for _ in range(13)]
        wanted = wanted if options & Execute.FETCH else 0
        if options & Execute.DEFINE:
            cursor = self._cursor(number)
            cursor.define([kind for kind, *_ in self._bind_types(reader, defines)])
            return self._rows(cursor, wanted)
        types = self._bind_types(reader, binds)
        executions = 1 if items[7] else max(items[1], 1)
        late = not options & Execute.PLSQL_BINDS
        rows = [self._bind_row(reader, types, late) for _ in range(executions)] if binds else [[]] * executions
        cursor = self._prepared(number, sql)
        if not options & (Execute.EXECUTE | Execute.DESCRIBE):  # a cursor that a block has opened
            return self._rows(cursor, wanted)
        cursor.bind_types = types
        try:
            if options & Execute.DESCRIBE and not options & Execute.EXECUTE:
                return self._describe(cursor, rows[0])
            return self._run(cursor, rows, wanted, commit=bool(options & Execute.COMMIT))
        except OraError:
            self.cursors.pop(cursor.id, None)
            raise

    def _reexecute(self, reader: Reader, *, fetch: bool) -> bytes:
        cursor = self._cursor(reader.ub())
        iterations, _, second = reader.ub(), reader.ub(), reader.ub()
        executions = 1 if fetch or cursor.described else max(iterations, 1)
        types = cursor.bind_types
        rows = [self._bind_row(reader, types, True) for _ in range(executions)] if types else [[]] * executions
        return self._run(cursor, rows, iterations if fetch else 0, commit=bool(second & 1))

    def _prepared(self, number: int, sql: str | None) -> Cursor:
        if number:
            cursor = self._cursor(number)
            if sql:  # parsed again under the same cursor
                cursor.sql, cursor.statement = sql, self._translate(sql)
                cursor.columns, cursor.described = [], False
            return cursor
        return self._new_cursor(sql or "", self._translate(sql or ""))

    def _translate(self, sql: str) -> Translated:
        word = re.match(r"(?:/\*.*?\*/|--[^\n]*\n|\s)*(\w+)", sql, re.DOTALL)
        if word and word[1].upper() in BLOCKS:
            return Translated(sql, word[1].upper())
        return translate(sql, self._profile.keys_per_list)

    def _run(self, cursor: Cursor, rows: list[list[Any]], wanted: int, *, commit: bool) -> bytes:
        word = cursor.statement.word
        if word in BLOCKS:
            values = run_block(cursor.sql, rows[0], self._open_empty, self._profile.field_version)
            head = out_binds(values) if values else NO_PARAMETERS
            return head + self._ending.error(cursor=cursor.id)
        if word == "ALTER":
            return self._ending.error(cursor=cursor.id)
        if word not in QUERIES:
            changed = self.database.change(cursor.statement, rows)
            if commit:
                self.database.commit()
            self._ending.in_transaction = self.database.in_transaction
            return NO_PARAMETERS + self._ending.error(cursor=cursor.id, rows=changed)
        cursor.fault = find_hint(cursor.sql) or self._plan.take(cursor.sql)
        described = self._begin(cursor, rows[0])
        return described + self._rows(cursor, wanted if cursor.defined else 0)

    def _describe(self, cursor: Cursor, binds: list[Any]) -> bytes:
        """The answer to a parse: the columns, and no rows."""
        if cursor.statement.word not in QUERIES:
            return NO_PARAMETERS + self._ending.error(cursor=cursor.id)
        cursor.described = False
        return self._begin(cursor, binds) + self._rows(cursor, 0)

    def _begin(self, cursor: Cursor, binds: list[Any]) -> bytes:
        cursor.begin(self.database, binds)
        described = b"" if cursor.described else describe_message(cursor.columns, self._profile.field_version)
        cursor.described = True
        return described

    def _rows(self, cursor: Cursor, wanted: int) -> bytes:
        self._ending.in_transaction = self.database.in_transaction
        answer, sent = answer_rows(cursor, wanted, self.database, self._wire, self._lobs, self._ending)
        fault = cursor.fault
        if fault is not None and (fault.kind == "trickle" or cursor.sent - sent <= fault.after <= cursor.sent):
            self.fault = fault if sent else None
        self._tell("rows", sent)
        if self.database.is_read_only:
            self._tell("read_only_rows", sent)
        return answer

    def _bind_types(self, reader: Reader, number: int) -> list[BindType]:
        types = []
        for _ in range(number):
            kind = reader.u8()
            reader.raw(3)
            size = reader.ub()
            reader.skip("nn")
            oid = reader.lblob()
            reader.skip("nn")
            form = reader.u8()
            reader.skip("nn" if self._profile.field_version >= 8 else "n")
            types.append((kind, form, size, oid))
        return types

    def _bind_row(self, reader: Reader, types: list[BindType], long_last: bool) -> list[Any]:
        reader.u8()  # says that a row follows
        late = [i for i, (_, _, size, _) in enumerate(types) if size > LATE and long_last]
        values: list[Any] = [None] * len(types)
        for i in [i for i in range(len(types)) if i not in late] + late:
            values[i] = self._bind_value(reader, types[i])
        return values

    def _bind_value(self, reader: Reader, bind: BindType) -> Any:
        kind, form, _, oid = bind
        if kind in LOBS:
            return self._lobs.get(reader.lblob())
        if kind == Type.OBJECT:
            return read_object(reader, oid)
        if kind == Type.CURSOR:
            if reader.u8() and reader.u8():
                reader.ub()
            return None
        return decode_bind(kind, form == 2, reader.blob())
