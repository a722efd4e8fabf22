"""A clean end by ctrl-C, SIGTERM or a reader that went away, with the exit code that shells expect."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from typing import Any, NoReturn

import click

from mesbatch.errors import MesbatchError
from mesbatch.export.find import find_files

SIGNALS = {signal.SIGINT: "ctrl-C", signal.SIGTERM: "SIGTERM"}
BROKEN_PIPE = 128 + signal.SIGPIPE  # the exit code of programs that the signal ends


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stopping(out: str) -> Iterator[None]:
    """End the command by a message and the right exit code when a signal comes or the reader of a pipe leaves.

    A second signal ends it at once, without cleaning up.
    """
    before = {number: signal.signal(number, _stop) for number in SIGNALS} if _may_listen() else {}
    try:
        yield
    except Stopped as stop:
        click.echo(f"stopped by {SIGNALS[signal.Signals(stop.number)]}: {_left(out)}", err=True)
        raise click.exceptions.Exit(128 + stop.number) from None
    except BrokenPipeError:
        if out != "-":
            raise
        _silence_stdout()  # `| head` has what it wanted
        raise click.exceptions.Exit(BROKEN_PIPE) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _may_listen() -> bool:
    return current_thread() is main_thread()


def _stop(number: int, frame: Any) -> NoReturn:
    for known in SIGNALS:
        signal.signal(known, signal.SIG_DFL)
    raise Stopped(number)


def _left(out: str) -> str:
    """Say what is there of the output."""
    with suppress(MesbatchError, OSError):
        files = find_files(out)
        begun = None if files is None else files.read_journal()
        if begun is not None:
            rows = sum(part.rows for part in begun[1])
            return f"{rows:,} rows are whole in {out}; the same command with --resume goes on with them"
    return "nothing is left of the output" if out != "-" else "the output is not whole"


def _silence_stdout() -> None:
    """Let the interpreter flush its standard output into nothing."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
