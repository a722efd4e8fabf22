"""Principals as extensions give them: a name, the id of a row, a UUID."""

from __future__ import annotations

import uuid

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from mesbatch.adapters.http.request import name_principal
from mesbatch.errors import InvalidJob, NoPrincipal


@pytest.mark.parametrize("given", ["ann", 5, 0, uuid.UUID(int=7), "安娜"])
def test_a_principal_is_known_by_its_text(given):
    assert name_principal(lambda: given) == str(given)


@pytest.mark.parametrize("given", [None, ""])
def test_nobody_is_nobody(given):
    with pytest.raises(NoPrincipal):
        name_principal(lambda: given)


@pytest.mark.parametrize("given", [b"ann", True, 1.5, object()])
def test_any_other_principal_is_refused_at_once(given):
    with pytest.raises(InvalidJob, match="an owner is text"):
        name_principal(lambda: given)
