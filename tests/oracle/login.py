"""The login, from the first packet to a session: handshake, capabilities of both sides, and password."""

from __future__ import annotations

import hashlib
import re
import secrets
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.oracle.failures import OraError
from tests.oracle.packets import HEADER, Wire
from tests.oracle.primitives import Reader, blob, lblob, ub
from tests.oracle.protocol import AL16UTF16, UTF8, Message, Packet, Profile

ITERATIONS = 4_096
SESSION_ITERATIONS = 3
VERIFIER_12C = 0x4815
LONG_STRINGS = 0x04  # a runtime capability: VARCHAR2 of 32,767 bytes


def shake_hands(wire: Wire, profile: Profile, service: str) -> bool:
    """Answer CONNECT; return False where another service was asked for and refused."""
    kind, body = wire.read()
    if kind != Packet.CONNECT:
        return False
    version = struct.unpack_from(">H", body, 0)[0]
    sdu = struct.unpack_from(">I", body, 50)[0]
    length, offset = struct.unpack_from(">HH", body, 16)
    here = body[offset - HEADER : offset - HEADER + length]
    text = here if len(here) == length else wire.read()[1][2:]  # above 230 bytes it comes in a packet of its own
    asked = re.search(r"\((?:SERVICE_NAME|SID)=([^)]*)\)", text.decode(), re.IGNORECASE)
    if asked is not None and asked[1].upper() != service.upper():
        refusal = b"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR=12514)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))"
        wire.send_packet(Packet.REFUSE, b"\x22\x00" + struct.pack(">H", len(refusal)) + refusal)
        return False
    wire.sdu = sdu or wire.sdu
    accept = struct.pack(">HH10xB9xI", min(version, profile.tns_version), 1, 0, wire.sdu)
    wire.send_packet(Packet.ACCEPT, accept + struct.pack(">5xI", profile.accept_flags) + bytes(8))
    wire.large = True
    return True


def skip_protocol(reader: Reader) -> None:
    reader.raw(2)
    while reader.u8():
        pass


def skip_types(reader: Reader) -> None:
    reader.raw(5)
    reader.blob(), reader.blob()
    while reader.raw(2) != b"\0\0":
        reader.raw(6)


def protocol_reply(profile: Profile) -> bytes:
    """The server's capabilities, in arrays that the driver reads at fixed places without looking at their lengths."""
    compiled = bytearray(56)
    compiled[7] = profile.field_version
    runtime = bytearray(12)
    runtime[6] = LONG_STRINGS
    layout = bytes(9) + AL16UTF16.to_bytes(2, "big")
    head = bytes((Message.PROTOCOL, 6, 0)) + b"x86_64/Linux 2.4.xx\0" + struct.pack("<HBH", UTF8, 1, 0)
    return head + struct.pack(">H", len(layout)) + layout + blob(bytes(compiled)) + blob(bytes(runtime))


TYPES_REPLY = bytes((Message.DATA_TYPES, 0, 0))


class Login:
    """The two calls in which both sides prove that they know the password, with a verifier of Oracle 12c."""

    def __init__(self, passwords: dict[str, str], session: int, profile: Profile, service: str) -> None:
        self._passwords, self._session, self._profile, self._service = passwords, session, profile, service
        self.user = ""

    def challenge(self, reader: Reader) -> bytes:
        """The salts, and our half of the session key."""
        self._read(reader)
        self._password = self._passwords.get(self.user.upper(), secrets.token_hex(8))
        salt, self._key_salt, self._half = (secrets.token_bytes(size) for size in (16, 16, 32))
        speedy = salt + b"AUTH_PBKDF2_SPEEDY_KEY"
        stretched = hashlib.pbkdf2_hmac("sha512", self._password.encode(), speedy, ITERATIONS, 64)
        self._hash = hashlib.sha512(stretched + salt).digest()[:32]
        return _parameters(
            ("AUTH_SESSKEY", _hex(_encrypt(self._hash, self._half))),
            ("AUTH_VFR_DATA", _hex(salt), VERIFIER_12C),
            ("AUTH_PBKDF2_CSK_SALT", _hex(self._key_salt)),
            ("AUTH_PBKDF2_VGEN_COUNT", str(ITERATIONS)),
            ("AUTH_PBKDF2_SDER_COUNT", str(SESSION_ITERATIONS)),
        )

    def verify(self, reader: Reader) -> bytes:
        """Check the password, and prove that we know it.

        Raises:
            OraError: it is not the user's.
        """
        given = self._read(reader)
        theirs = _decrypt(self._hash, bytes.fromhex(given["AUTH_SESSKEY"]))[:32]
        both = _hex(theirs + self._half).encode()
        key = hashlib.pbkdf2_hmac("sha512", both, self._key_salt, SESSION_ITERATIONS, 32)
        clear = _decrypt(key, bytes.fromhex(given["AUTH_PASSWORD"]))
        password = clear[16 : -clear[-1]] if 1 <= clear[-1] <= 16 else b""
        if password.decode("utf-8", "replace") != self._password:
            raise OraError(1017, "invalid username/password; logon denied")
        proof = secrets.token_bytes(16) + b"SERVER_TO_CLIENT" + b"\x10" * 16
        return _parameters(
            ("AUTH_SVR_RESPONSE", _hex(_encrypt(key, proof))),
            ("AUTH_VERSION_NO", str(self._profile.version_number)),
            ("AUTH_SESSION_ID", str(self._session)),
            ("AUTH_SERIAL_NUM", "1"),
            ("AUTH_SC_SERVICE_NAME", self._service),
            ("AUTH_SC_DBUNIQUE_NAME", "STANDIN"),
            ("AUTH_INSTANCENAME", "standin"),
            ("AUTH_MAX_OPEN_CURSORS", "300"),
            ("AUTH_MAX_IDEN_LENGTH", "128"),
        )

    def _read(self, reader: Reader) -> dict[str, str]:
        has_user = reader.u8()
        reader.skip("nn1")
        pairs = reader.ub()
        reader.raw(2)
        if has_user:
            self.user = (reader.blob() or b"").decode()
        given = {}
        for _ in range(pairs):
            name, value = reader.lblob() or b"", reader.lblob() or b""
            reader.ub()
            given[name.decode()] = value.decode()
        return given


def _parameters(*pairs: tuple[str, str] | tuple[str, str, int]) -> bytes:
    out = [bytes((Message.PARAMETER,)), ub(len(pairs))]
    for name, value, *flag in pairs:
        out += (lblob(name), lblob(value), ub(int(flag[0]) if flag else 0))
    return b"".join(out)


def _hex(data: bytes) -> str:
    return data.hex().upper()


def _encrypt(key: bytes, data: bytes) -> bytes:
    work = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return work.update(data) + work.finalize()


def _decrypt(key: bytes, data: bytes) -> bytes:
    work = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).decryptor()
    return work.update(data) + work.finalize()
