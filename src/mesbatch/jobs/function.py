"""The functions that a job may call: an allow-list by name, each checked against its signature before it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, get_type_hints

import msgspec

from mesbatch.batch import Batch
from mesbatch.errors import InvalidJob
from mesbatch.jobs.spec import JobSpec
from mesbatch.read.part import OnFailure
from mesbatch.source.keys import Keys
from mesbatch.trace import TraceReader


class Aggregation(Protocol):
    """What a job counts on the way; its *state* is JSON, so that a job which is resumed goes on counting."""

    def add(self, domain: str, batch: Batch) -> None: ...
    def result(self) -> dict[str, Any]: ...
    def state(self) -> Any: ...
    def restore(self, state: Any) -> None: ...


@dataclass(frozen=True)
class Work:
    """What a job function is to read: *domains* for *keys*, holding at most *max_bytes*.

    A function is called once for each domain, and after an interruption only with the keys that are missing; so it
    depends on nothing but its arguments. It gives *aggregation* an object that counts rows once they are stored.
    """

    keys: Iterable[Any] | Keys
    domains: tuple[str, ...]
    max_bytes: int
    on_failure: OnFailure
    aggregate: Callable[[Aggregation], None]


JobFunction = Callable[..., TraceReader]
Functions = Mapping[str, JobFunction]


def check_call(functions: Functions, spec: JobSpec) -> JobFunction:
    """The function that *spec* names, if its arguments fit.

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


def import_functions(app: str) -> Functions:
    """The allow-list of *app*, a ``module:object`` that is a mapping or has one as *functions*.

    Raises:
        InvalidJob: there is no such object, or it has no *functions*.
    """
    module, _, name = app.partition(":")
    if not name or module == "__main__":
        raise InvalidJob(f"app must be an importable module:object, got {app!r}")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidJob(f"app={app!r} cannot be imported: {error}") from error
    functions = found if isinstance(found, Mapping) else getattr(found, "functions", None)
    if not isinstance(functions, Mapping):
        raise InvalidJob(f"app={app!r} has no mapping of functions, it is a {type(found).__name__}")
    return functions


def _check_type(function: str, name: str, value: Any, hint: Any) -> None:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise InvalidJob(f"argument {name} of {function} does not fit: {error}") from error
