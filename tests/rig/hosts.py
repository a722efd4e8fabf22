"""Hosts as network namespaces, each with a cable to this machine that can be pulled out (Linux, root, iproute2)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.rig.postgres import RigUnavailable

ADDRESS = "10.77.0.1"  # this machine, as all hosts see it


class Host:
    """One namespace; *number* is part of its addresses."""

    def __init__(self, number: int) -> None:
        self.name, self._number = f"mesbatch-{os.getpid()}-{number}", number
        self._cable = f"mb{os.getpid() % 100_000}-{number}"

    @property
    def enter(self) -> list[str]:
        """The words that stand before a command so that it runs on this host."""
        return ["ip", "netns", "exec", self.name]

    def cut_off(self) -> None:
        """Pull the cable out: no packet passes any more, and no end is told."""
        _ip("link", "set", self._cable, "down")

    def make(self) -> None:
        far, net = f"{self._cable}b", f"10.77.{self._number}"
        _ip("netns", "add", self.name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", far)
        _ip("link", "set", far, "netns", self.name)
        _ip("addr", "add", f"{net}.1/24", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        for command in (
            ("addr", "add", f"{net}.2/24", "dev", far),
            ("link", "set", far, "up"),
            ("link", "set", "lo", "up"),
            ("route", "add", "default", "via", f"{net}.1"),
        ):
            _ip("-n", self.name, *command)

    def remove(self) -> None:
        with suppress(RigUnavailable):
            _ip("netns", "del", self.name)
        with suppress(RigUnavailable):
            _ip("link", "del", self._cable)


@contextmanager
def hosts(number: int) -> Iterator[list[Host]]:
    """Make so many hosts, to which this machine is `ADDRESS`.

    Raises:
        RigUnavailable: they cannot be made here.
    """
    if shutil.which("ip") is None:
        raise RigUnavailable("no iproute2 on the PATH")
    made = [Host(each) for each in range(1, number + 1)]
    try:
        _ip("addr", "add", f"{ADDRESS}/32", "dev", "lo")
        for host in made:
            host.make()
        yield made
    finally:
        for host in made:
            host.remove()
        with suppress(RigUnavailable):
            _ip("addr", "del", f"{ADDRESS}/32", "dev", "lo")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RigUnavailable(f"no network namespaces here: ip {' '.join(arguments)}: {done.stderr.strip()}")
