"""Ids of jobs: 128 random bits in a fixed alphabet, so that nothing else can become part of a name."""

from __future__ import annotations

import re
import secrets

from mesbatch.errors import InvalidJobId

# Ours, or one that the first implementation gave: its results are still readable.
JOB_ID = re.compile(r"[0-9a-f]{32}|trace-evt-[0-9a-f]{12}")


def new_job_id() -> str:
    """Make an id that nobody can guess.

    >>> check_job_id(new_job_id()) != check_job_id(new_job_id())
    True
    """
    return secrets.token_hex(16)


def check_job_id(job_id: str) -> str:
    """Return *job_id* if it can be one.

    Args:
        job_id: The text to be checked.

    Raises:
        InvalidJobId: it has other characters, or more or fewer.

    >>> check_job_id("../etc/passwd")
    Traceback (most recent call last):
    mesbatch.errors.InvalidJobId: '../etc/passwd' is no job id, which is 32 hexadecimal digits
    """
    if not JOB_ID.fullmatch(job_id):
        shown = repr(job_id)
        shown = shown if len(shown) <= 60 else f"{shown[:60]}... ({len(shown):,} characters)"
        raise InvalidJobId(f"{shown} is no job id, which is 32 hexadecimal digits")
    return job_id
