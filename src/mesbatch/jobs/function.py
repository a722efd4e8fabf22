"""Functions that a job may call: an allow-list by name, each checked against its signature before it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, get_type_hints

import msgspec

from mesbatch.batch import Batch
from mesbatch.errors import InvalidJob, NotIndexed
from mesbatch.jobs.spec import JobSpec
from mesbatch.keys.collect import Keys
from mesbatch.read.part import OnFailure
from mesbatch.store.inputs import InputReader
from mesbatch.store.keyed_rows import KeyedRows
from mesbatch.trace.read import TraceReader


class Aggregation(Protocol):
    """Counts of a job, made on the way. Its state is JSON, so that a job which is resumed goes on counting.

    >>> class CountRows(Aggregation):
    ...     rows = 0
    ...     def add(self, domain: str, batch: Batch) -> None:
    ...         self.rows += batch.num_rows
    ...     def state(self) -> int:
    ...         return self.rows
    ...     def restore(self, state: int) -> None:
    ...         self.rows = state
    ...     def result(self) -> dict[str, int]:
    ...         return {"rows": self.rows}
    >>> count = CountRows()
    >>> count.add("holds", Batch(("ID",), [(1,), (2,)]))
    >>> count.result()
    {'rows': 2}
    """

    def add(self, domain: str, batch: Batch) -> None: ...
    def result(self) -> dict[str, Any]: ...
    def state(self) -> Any: ...
    def restore(self, state: Any) -> None: ...


class RowsByKey(Protocol):
    """A look-up of rows of a finished domain."""

    def __call__(self, domain: str, keys: Iterable[Any] | Keys, /) -> KeyedRows: ...


Conclusion = Callable[["Work"], Mapping[str, Any]]


def no_rows(domain: str, keys: Iterable[Any] | Keys, /) -> KeyedRows:
    """Refuse to look up rows where nothing is stored."""
    raise NotIndexed(f"the rows of {domain!r} cannot be looked up by key: only a job stores them")


def no_conclusion(conclusion: Conclusion, /) -> None:
    """Refuse to conclude where no domain is stored."""
    raise NotIndexed("nothing can be computed of finished domains: only a job stores them")


@dataclass(frozen=True)
class Work:
    """The task of a job function: read *domains* for *keys*, holding at most *max_bytes*.

    A function is called once for each domain, and after an interruption only with the keys that are missing; so it
    depends on nothing but its arguments.

    Attributes:
        keys: The keys that are to be read; None where the job has none.
        domains: The names of the domains that are to be read.
        max_bytes: Bytes of rows that the function may hold.
        on_failure: ``raise`` or ``partial``, for the readers of the function.
        aggregate: A function for counts: ``aggregate(RejectCounts)`` counts the rows as they are stored, with one
            object for all domains.
        inputs: The large inputs of the job, by name: ``inputs["lineage"]`` opens one; see `InputReader`.
        rows: A function that looks up rows of a domain that has ended: ``rows("rejects", ids)``, as `ResultReader.rows`
            does, in its chunks and not in the database.
        conclude: A function that lets another compute counts at the end of the job: ``conclude(attribute)`` gives
            *attribute* a work of all keys, whose domains have all ended, and what it returns stands beside the counts
            of ``aggregate``. After the death of a worker it is called again.
        after: Values of the last row that is stored, after which a query with a keyset goes on.
    """

    keys: Iterable[Any] | Keys | None
    domains: tuple[str, ...]
    max_bytes: int
    on_failure: OnFailure
    aggregate: Callable[[Callable[[], Aggregation]], None]
    inputs: Mapping[str, InputReader] = field(default_factory=dict)
    rows: RowsByKey = no_rows
    conclude: Callable[[Conclusion], None] = no_conclusion
    after: tuple[Any, ...] | None = None


JobFunction = Callable[..., TraceReader]
Functions = Mapping[str, JobFunction]


def check_call(functions: Functions, spec: JobSpec) -> JobFunction:
    """Return the function that *spec* names, if its arguments fit.

    Raises:
        InvalidJob: it is not allowed, or its arguments are not those of its signature, or of another type.

    >>> def events(work: Work, station: str) -> TraceReader: ...
    >>> check_call({"events": events}, JobSpec(function="os.system", domains=("history",)))
    Traceback (most recent call last):
    mesbatch.errors.InvalidJob: the function 'os.system' is not allowed; allowed are events
    """
    function = functions.get(spec.function)
    if function is None:
        raise InvalidJob(f"the function {spec.function[:40]!r} is not allowed; allowed are {', '.join(functions)}")
    try:
        bound = inspect.signature(function).bind(None, **spec.arguments)
    except TypeError as error:
        raise InvalidJob(f"the arguments of {spec.function} do not fit: {error}") from error
    hints = get_type_hints(function)
    for name in bound.signature.parameters:
        if name in spec.arguments and name in hints:
            _check_type(spec.function, name, spec.arguments[name], hints[name])
    return function


def _check_type(function: str, name: str, value: Any, hint: Any) -> None:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise InvalidJob(f"argument {name} of {function} does not fit: {error}") from error
