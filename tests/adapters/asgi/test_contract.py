"""The contract of HTTP and NDJSON, test by test as that of Flask, through a real uvicorn."""

import pytest

pytest.importorskip("starlette", reason="no web framework: starlette is not installed")

from tests.adapters.flask.test_contract import *  # noqa: F403
