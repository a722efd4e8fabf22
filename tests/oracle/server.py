"""The server: ``python -m tests.oracle.server PATH`` answers on a free port and takes commands on its stdin."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from tests.oracle.faults import Fault, Plan, Planned
from tests.oracle.packets import Wire
from tests.oracle.protocol import PROFILES
from tests.oracle.session import Session

SERVICE = "STANDIN"
USER, PASSWORD = "scott", "tiger"


class Server:
    """Sessions on the SQLite file at *path*, one thread for each; *counts* is the sum of their work."""

    def __init__(self, path: str, profile: str, port: int) -> None:
        self.path, self.profile, self.service = path, PROFILES[profile], SERVICE
        self.passwords = {USER.upper(): PASSWORD}
        self.plan = Plan()
        self.counts: Counter[str] = Counter()
        self._sessions: set[Session] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._accept, daemon=True).start()

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        """Carry out a command of a test; see `tests.oracle.rig`."""
        match name:
            case "fault":
                match, times = arguments.pop("match"), arguments.pop("times")
                self.plan.add(Planned(Fault(**arguments), match, times))
            case "clear":
                self.plan.clear()
            case "counts":
                return dict(self.counts) | {"faults": self.plan.taken, "sessions": len(self._sessions)}
            case "drop":
                for session in list(self._sessions):
                    with suppress(OSError):
                        session.wire.socket.shutdown(socket.SHUT_RDWR)
            case "kill":
                for session in list(self._sessions):
                    session.killed = True
            case "memory":
                return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return None

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, Wire(connection))
            self._sessions.add(session)
            Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session: Session) -> None:
        try:
            session.serve()
        finally:
            self._sessions.discard(session)


def main() -> None:
    """Say the port, and then answer each line of JSON with another, until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--profile", choices=PROFILES, default="19c")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    server = Server(given.path, given.profile, given.port)
    _say({"port": server.port})
    for line in sys.stdin:
        asked = json.loads(line)
        _say({"answer": server.command(asked.pop("command"), asked)})


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
