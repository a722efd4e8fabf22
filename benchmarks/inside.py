"""The inside of a case's process: a loop is read to its end and counted, and looked at closely only for a check."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.check import Tally


def run(
    loop: str,
    arguments: dict[str, Any],
    keys: str | None = None,
    lazy: bool = False,
    lines: str | None = None,
    check: bool = False,
) -> dict[str, Any]:
    """Call *loop* (``module:function``) with *arguments* and the keys in the file *keys*, and consume its items.

    *lazy* hands the keys over as an iterator. *lines* names a function that turns the loop's batches into bytes.
    Returns the number of rows or bytes, seconds to the first, and this process's own processor time. With *check* every
    row is parsed, and a checksum that depends neither on order nor on how a driver spells a value is returned, too.
    """
    begin, worked = time.perf_counter(), time.process_time()
    if keys:
        arguments = arguments | {"keys": read_keys(keys) if lazy else list(read_keys(keys))}
    pieces = find(loop)(**arguments)
    if lines:
        pieces = find(lines)(pieces)
    tally = Tally() if check else None
    count, first = 0, 0.0
    for piece in pieces:
        first = first or time.perf_counter() - begin
        count += len(piece)
        if tally:
            tally.add(piece)
    result = {"count": count, "first": first, "cpu": time.process_time() - worked}
    return result | ({"rows": tally.rows, "checksum": tally.checksum} if tally else {})


def check(cases: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Sum up the rows of each case, by its name, or give its failure."""
    found = {}
    for name, work in cases.items():
        try:
            result = run(**work, check=True)
            found[name] = f"{result['rows']:,} rows with checksum {result['checksum']}"
        except Exception as error:  # the others are worth a look
            found[name] = f"{type(error).__name__}: {error}"
    return found


def read_keys(path: str) -> Iterator[str]:
    """Read the keys in a file of one key a line; holds nothing."""
    with Path(path).open() as file:
        yield from map(str.rstrip, file)


def find(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
