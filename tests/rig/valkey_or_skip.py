"""A Valkey for a fixture: where none can run, the tests that ask for it are skipped and say why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.rig.postgres import RigUnavailable
from tests.rig.valkey import PrivateValkey


@contextmanager
def valkey_or_skip() -> Iterator[PrivateValkey]:
    """A server that runs until the block ends."""
    try:
        with PrivateValkey() as server:
            yield server
    except RigUnavailable as error:
        pytest.skip(str(error))
