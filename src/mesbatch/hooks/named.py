"""Hooks that serve a trace, which names its queries, and any single reader, which does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from mesbatch.events import Event


class NamedHook:
    """A hook for `Trace.read` and, as ``on_event``, for any reader; *name* is then the name of its query.

    >>> from mesbatch.events import BatchRead
    >>> hook = NamedHook(lambda name, event: print(name, event.rows))
    >>> hook("history", BatchRead(3, 100))
    history 3
    >>> hook(BatchRead(3, 100))
    read 3
    >>> hook.called("lots")(BatchRead(3, 100))
    lots 3
    """

    def __init__(self, hear: Callable[[str, Event], None], name: str = "read") -> None:
        self._hear, self._name = hear, name

    @overload
    def __call__(self, event: Event, /) -> None: ...

    @overload
    def __call__(self, name: str, event: Event, /) -> None: ...

    def __call__(self, *heard: Any) -> None:
        name, event = heard if len(heard) > 1 else (self._name, *heard)
        self._hear(name, event)

    def called(self, name: str) -> NamedHook:
        """Make a hook with the same counts or log, for a reader whose query is *name*."""
        return NamedHook(self._hear, name)
