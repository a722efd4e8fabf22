"""Owner of a job: the principal, as text, that alone may see it."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import Any
from uuid import UUID

from mesbatch.errors import InvalidJob
from mesbatch.store.protocol import MARK, OWNER_DIGEST, Facts


def owner_text(principal: Any) -> str:
    """Return *principal* as the text by which it is known from the submission on.

    Raises:
        InvalidJob: it is neither text, an integer nor a UUID.

    >>> owner_text(5), owner_text("ann")
    ('5', 'ann')
    >>> owner_text(b"ann")
    Traceback (most recent call last):
    mesbatch.errors.InvalidJob: an owner is text, an integer or a UUID, got a bytes
    """
    if isinstance(principal, bool) or not isinstance(principal, str | int | UUID):
        raise InvalidJob(f"an owner is text, an integer or a UUID, got a {type(principal).__name__}")
    text = str(principal)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidJob("an owner is text that UTF-8 can write") from error
    return text


def marked(facts: Facts) -> Facts:
    """Return *facts* with the mark of our jobs, and a digest of their owner, which are kept apart from it."""
    return {**facts, MARK: "1", OWNER_DIGEST: _digest(facts["owner"])}


def may_see(facts: Facts, owner: str | None, *, unmarked: bool) -> bool:
    """Return whether *owner* may see the job with these *facts*, of which the store may have lost a part.

    Without the owner that its mark vouches for, a job of ours is there for nobody. A job without a mark is one of the
    first implementation, which knew no owners; *unmarked* says that these are shown.
    """
    theirs = facts.get("owner")
    if MARK in facts:
        if theirs is None or not _equal(_digest(theirs), facts.get(OWNER_DIGEST, "")):
            return False
    elif not unmarked:
        return False
    return not theirs or (owner is not None and _equal(theirs, owner))


def _digest(owner: str) -> str:
    return sha256(owner.encode(errors="surrogatepass")).hexdigest()


def _equal(one: str, other: str) -> bool:
    return compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))
