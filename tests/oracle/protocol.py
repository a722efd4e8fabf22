"""The numbers of Oracle Net and TTC that a session needs, under the names that the driver's sources give them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag


class Packet(IntEnum):
    CONNECT = 1
    ACCEPT = 2
    REFUSE = 4
    DATA = 6
    MARKER = 12


class Marker(IntEnum):
    BREAK = 1
    RESET = 2
    INTERRUPT = 3


class DataFlag(IntFlag):
    EOF = 0x0040
    END_OF_RESPONSE = 0x2000


class Message(IntEnum):
    PROTOCOL = 1
    DATA_TYPES = 2
    CALL = 3
    ERROR = 4
    ROW_HEADER = 6
    ROW = 7
    PARAMETER = 8
    STATUS = 9
    IO_VECTOR = 11
    LOB_DATA = 14
    DESCRIBE = 16
    PIGGYBACK = 17
    END_OF_RESPONSE = 29
    FAST_AUTH = 34


class Call(IntEnum):
    REEXECUTE = 4
    FETCH = 5
    LOGOFF = 9
    COMMIT = 14
    ROLLBACK = 15
    REEXECUTE_AND_FETCH = 78
    EXECUTE = 94
    LOB = 96
    AUTHENTICATE = 115
    CHALLENGE = 118
    PING = 147


class Piggyback(IntEnum):
    FREE_LOBS = 96
    CLOSE_CURSORS = 105
    END_TO_END = 135
    SCHEMA = 152
    KEY_VALUES = 154
    SESSION_STATE = 176


class Execute(IntFlag):
    DEFINE = 0x10
    EXECUTE = 0x20
    FETCH = 0x40
    COMMIT = 0x100
    PLSQL_BINDS = 0x400
    DESCRIBE = 0x20000


class Type(IntEnum):
    VARCHAR = 1
    NUMBER = 2
    BINARY_INTEGER = 3
    LONG = 8
    DATE = 12
    RAW = 23
    LONG_RAW = 24
    ANYDATA = 58  # which the thin driver cannot read
    CHAR = 96
    BINARY_FLOAT = 100
    BINARY_DOUBLE = 101
    CURSOR = 102
    OBJECT = 109
    CLOB = 112
    BLOB = 113
    TIMESTAMP = 180
    TIMESTAMP_TZ = 181
    TIMESTAMP_LTZ = 231
    BOOLEAN = 252


LOBS = frozenset({Type.CLOB, Type.BLOB})
TEXTS = frozenset({Type.VARCHAR, Type.CHAR, Type.LONG, Type.CLOB})
UTF8, AL16UTF16 = 873, 2000  # Oracle's numbers of character sets


@dataclass(frozen=True)
class Profile:
    """The differences between server releases that the driver asks for."""

    banner: str
    tns_version: int
    field_version: int
    accept_flags: int
    version_number: int
    keys_per_list: int  # ORA-01795 above it

    @property
    def has_end_of_response(self) -> bool:
        return bool(self.accept_flags & 0x02000000)


PROFILES = {
    "19c": Profile("Oracle Database 19c (a stand-in)", 318, 12, 0, 0x13180000, 1_000),
    "23ai": Profile("Oracle AI Database 23ai (a stand-in)", 319, 24, 0x12000000, 0x17090000, 65_535),
}
