"""Clients that leave, or are slow, behind a real uvicorn: the tests of Flask, as they are."""

import pytest

pytest.importorskip("starlette", reason="no web framework: starlette is not installed")

from tests.adapters.flask.test_disconnects import *  # noqa: F403
