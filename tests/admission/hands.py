"""Holders that take permits and give them back in every way there is, here or in a process that can be killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from mesbatch.admission import Limiter, Permit
from mesbatch.errors import LimiterBusy
from tests.admission.places import Place, describe, find

ROOT = Path(__file__).parents[2]
End = Literal["release", "exception", "unread", "disconnect", "failure", "exhausted"]
ENDS: tuple[End, ...] = ("release", "exception", "unread", "disconnect", "failure", "exhausted")


class Hands:
    """Holder of permits of *limiter*, by number."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._permits: dict[int, Permit] = {}
        self._taken = 0

    def take(self, nbytes: int, principal: str = "", timeout: float = 0.0) -> int | None:
        """Take a permit and return its number, or None if the limiter was busy."""
        try:
            permit = self._limiter.permit(nbytes, principal=principal, timeout=timeout)
        except LimiterBusy:
            return None
        self._taken += 1
        self._permits[self._taken] = permit
        return self._taken

    def end(self, number: int, how: End) -> None:
        """Give a permit back, as a view, a failing view, or a WSGI server after a response would."""
        permit = self._permits.pop(number)
        if how == "release":
            permit.release()
        elif how == "exception":
            with suppress(ZeroDivisionError), permit:
                _ = 1 / 0
        elif how in {"unread", "disconnect"}:
            body = permit.holding(piece for piece in (b"a", b"b"))
            if how == "disconnect":
                next(body)
            body.close()
        else:
            with suppress(ZeroDivisionError):
                list(permit.holding(1 // (2 - piece) for piece in range(5 if how == "failure" else 2)))

    def count(self) -> list[int]:
        in_flight = self._limiter.in_flight
        return [in_flight.permits, in_flight.nbytes, in_flight.waiting]


class RemoteHands:
    """`Hands` in a process of its own."""

    def __init__(self, place: Place, permits: int, max_bytes: int, max_waiting: int) -> None:
        arguments = {"place": describe(place), "limits": [permits, max_bytes], "max_waiting": max_waiting}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.admission.hands", json.dumps(arguments)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def take(self, nbytes: int, principal: str = "", timeout: float = 0.0) -> int | None:
        taken: int | None = self._call("take", nbytes, principal, timeout)
        return taken

    def end(self, number: int, how: End) -> None:
        self._call("end", number, how)

    def count(self) -> list[int]:
        counted: list[int] = self._call("count")
        return counted

    def kill(self) -> None:
        """Kill the process with SIGKILL, whatever it holds."""
        self.signal(signal.SIGKILL)
        self._close()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def close(self) -> None:
        """Let the process end by itself."""
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _call(self, method: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, *arguments]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


def main() -> None:
    arguments = json.loads(sys.argv[1])
    place, max_waiting = find(arguments["place"]), arguments["max_waiting"]
    hands = Hands(place.limiter(*arguments["limits"], max_waiting=max_waiting))
    for line in sys.stdin:
        method, *parameters = json.loads(line)
        try:
            answer = {"result": getattr(hands, method)(*parameters)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
