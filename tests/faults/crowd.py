"""Clients of an application that ask at once."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import closing
from threading import Lock, Thread


class Crowd:
    """Clients that ask at once, for *seconds* each; what they got, and the most that read at a time."""

    def __init__(self, application, nap=0.02):
        self.application, self.statuses, self.waits = application, Counter(), set()
        self.most = self.now = self.whole = 0
        self.lock = Lock()
        connect = application.connect

        def counted():
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(nap)
            con = connect()
            with self.lock:
                self.now -= 1
            return con

        application.connect = counted

    def ask(self):
        with closing(self.application.stream(["holds"], ids=["c01"])) as answer:
            data = b"".join(answer.response)
        with self.lock:
            self.statuses[answer.status_code] += 1
            if answer.status_code == 200:
                self.whole += json.loads(data.splitlines()[-1])["type"] == "complete"
            else:
                self.waits.add(answer.headers["Retry-After"])

    def come(self, count):
        threads = [Thread(target=self.ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def goodput(self, clients, seconds):
        """Let so many clients ask again and again; return the whole answers in a second."""
        before, until = self.whole, time.monotonic() + seconds

        def again():
            while time.monotonic() < until:
                self.ask()

        threads = [Thread(target=again) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (self.whole - before) / seconds
