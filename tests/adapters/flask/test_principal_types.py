"""Principals as extensions give them: a name, the id of a row, a UUID."""

from __future__ import annotations

import uuid

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from mesbatch.adapters.http.request import name_principal
from mesbatch.errors import NoPrincipal
from tests.adapters.flask.application import Application


@pytest.mark.parametrize("given", ["ann", 5, 0, uuid.UUID(int=7), "安娜"])
def test_a_principal_is_known_by_its_text(given):
    assert name_principal(lambda: given) == str(given)


@pytest.mark.parametrize("given", [None, ""])
def test_nobody_is_nobody(given):
    with pytest.raises(NoPrincipal):
        name_principal(lambda: given)


@pytest.mark.parametrize("given", [b"ann", True, 1.5, object()])
def test_any_other_principal_is_refused_at_once(given):
    with pytest.raises(NoPrincipal, match="an owner is text, an integer or a UUID, got a"):
        name_principal(lambda: given)


@pytest.mark.parametrize("path", ["/api/trace/events", "/api/trace/job/" + "a" * 32])
def test_a_principal_of_bytes_is_told_to_the_client_and_no_error_of_the_server(tmp_path, path):
    application = Application(tmp_path, principal=lambda: b"ann")
    body = {"profile": "query_tool", "container_ids": ["c01"], "domains": ["holds"]}
    response = application.client.open(path, method="POST" if path.endswith("events") else "GET", json=body)
    assert response.status_code == 401
    assert response.mimetype == "application/problem+json"
    assert response.json["detail"].endswith("an owner is text, an integer or a UUID, got a bytes")
