"""Old names of attributes, which warn for one minor version."""

from __future__ import annotations

from typing import Any
from warnings import warn


class Renamed:
    """Attribute under its old name: reading it warns, and gives the attribute that is called *name* now.

    >>> from mesbatch.admission import Reject
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     Reject("too many", key_count=9).cid_count, str(told[0].message)
    (9, 'Reject.cid_count is called key_count since mesbatch 0.2')
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __set_name__(self, owner: type, old: str) -> None:
        self._old = f"{owner.__name__}.{old}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        warn(f"{self._old} is called {self._name} since mesbatch 0.2", DeprecationWarning, stacklevel=2)
        return getattr(instance, self._name)
