"""Faults of permits that only a server has."""

from __future__ import annotations

import math
import signal
import threading
import time
from contextlib import closing
from dataclasses import replace
from itertools import count
from threading import Event
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

redis = pytest.importorskip("redis", reason="no redis client: redis is not installed")

from mesbatch.admission.claims import Claim, InFlight, Limit, count_claims, draw_claim, next_claim  # noqa: E402
from mesbatch.admission.redis import RedisLimiter  # noqa: E402
from mesbatch.errors import InvalidLimit, LimiterUnavailable, PermitLost  # noqa: E402
from tests.admission.hands import RemoteHands  # noqa: E402
from tests.admission.places import RedisPlace  # noqa: E402
from tests.rig.valkey_or_skip import valkey_or_skip  # noqa: E402


@pytest.fixture
def server():
    """Start a server for this test alone, which it may kill."""
    with valkey_or_skip() as server:
        yield server


@pytest.fixture
def mortal_place(server):
    """Give a place in that server, with short leases that end soon."""
    with closing(RedisPlace(server.url, "p", lease=1.0)) as place:
        yield place


def test_a_server_that_is_away_lets_nobody_through(server, mortal_place):
    limiter = mortal_place.limiter(1, 100)
    server.kill()

    with pytest.raises(LimiterUnavailable, match="'p' in Redis"):
        limiter.permit(1)
    with pytest.raises(LimiterUnavailable):
        _ = limiter.in_flight
    server.start()
    limiter.permit(1).release()


def test_a_server_that_is_silent_lets_nobody_through(server, mortal_place):
    limiter = mortal_place.limiter(1, 100)
    server.pause()
    with pytest.raises(LimiterUnavailable, match="Timeout"):
        limiter.permit(1)
    server.resume()


def test_a_permit_given_back_while_the_server_is_away_is_an_error_and_comes_back_by_itself(server, mortal_place):
    limiter = mortal_place.limiter(1, 100)
    permit = limiter.permit(1)
    server.pause()
    with pytest.raises(LimiterUnavailable):
        permit.release()
    server.resume()

    limiter.permit(1, timeout=30).release()


def test_a_holder_learns_that_its_lease_ran_out(server, mortal_place):
    limiter = mortal_place.limiter(1, 100)
    body = limiter.permit(1).holding(count())
    server.pause()
    with pytest.raises(PermitLost, match=r"the lease of 1\.0 s"):
        next(piece for piece in body if piece == math.inf)
    server.resume()


def test_a_server_that_comes_back_empty_does_not_give_a_holder_the_permit_of_another(server, mortal_place):
    limiter = mortal_place.limiter(1, 100)
    permit = limiter.permit(1)
    server.kill()
    server.start()
    other = limiter.permit(1)  # the same number, because the server counts anew

    with pytest.raises(PermitLost):
        permit.release()
    assert limiter.in_flight == InFlight(1, 1, 0)
    other.release()


def test_a_lease_is_renewed_while_the_holder_lives(redis_place):
    redis_place.lease = 2.0
    limiter = redis_place.limiter(1, 100)
    with limiter.permit(1) as permit:
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            permit.check()
            assert limiter.in_flight.permits == 1
            Event().wait(0.05)


def test_a_stopped_holder_finds_its_permit_lost(redis_place):
    redis_place.lease = 1.0
    hands, limiter = RemoteHands(redis_place, 1, 100, 4), redis_place.limiter(1, 100)
    number = hands.take(1)
    hands.signal(signal.SIGSTOP)
    with limiter.permit(1, timeout=30):
        hands.signal(signal.SIGCONT)
        with pytest.raises(RuntimeError, match="PermitLost"):
            hands.end(number, "release")
        assert limiter.in_flight == InFlight(1, 1, 0)
    hands.close()


def test_a_closed_limiter_lets_nobody_through_and_leaves_no_thread(redis_place):
    limiter = redis_place.limiter(1, 100)
    permit = limiter.permit(1)
    limiter.close()
    with pytest.raises(LimiterUnavailable, match="closed"):
        limiter.permit(1)
    with pytest.raises(LimiterUnavailable, match="closed"):
        permit.release()
    assert not [thread for thread in threading.enumerate() if redis_place.name in thread.name]


@pytest.mark.parametrize("lease", [0, -1.0, float("nan")])
def test_a_lease_of_nothing_is_refused(lease):
    with pytest.raises(InvalidLimit, match="lease"):
        RedisLimiter("redis://localhost", "p", 1, 100, lease=lease)


steps = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100), st.booleans()), max_size=25)


@settings(max_examples=60)
@given(st.integers(1, 4), st.integers(1, 100), st.integers(0, 6), steps)
def test_the_script_orders_claims_as_the_arithmetic_does(valkey, permits, max_bytes, waiting, steps):
    """Compare the same requests, with the same ends in between, through the script and through `claims`."""
    limit = Limit(permits, max_bytes, waiting)
    with closing(RedisLimiter(valkey.url, uuid4().hex, permits, max_bytes, max_waiting=waiting)) as limiter:
        make_claims(limiter, limit, steps)


def make_claims(limiter: RedisLimiter, limit: Limit, steps: list[tuple[str, int, bool]]) -> None:
    claims: dict[int, Claim] = {}  # by the number that the limiter knows them by
    for ticket, (principal, size, leaves) in enumerate(steps, 1):
        claim = draw_claim(claims.values(), limit, ticket, principal, min(size, limit.nbytes))
        together = [*claims.values(), claim]
        number = limiter._join(claim.nbytes, principal)
        assert (number is None) == (
            next_claim(together, limit) != claim and count_claims(together).waiting > limit.waiting
        )
        if number is not None:
            claims[number] = claim
        if leaves and claims:
            first = next(iter(claims))
            limiter._leave(first)
            del claims[first]
        let_begin(limiter, claims, limit)
        assert limiter.in_flight == count_claims(claims.values())
    for number in claims:
        limiter._leave(number)


def let_begin(limiter: RedisLimiter, claims: dict[int, Claim], limit: Limit) -> None:
    """Let all claims look until none begins any more, and compare those that begin with the arithmetic."""
    while claim := next_claim(claims.values(), limit):
        number = next(number for number, one in claims.items() if one == claim)
        assert limiter._begin(number)
        claims[number] = replace(claim, holding=True)
    assert {number: limiter._begin(number) for number in claims} == {n: one.holding for n, one in claims.items()}


@pytest.mark.parametrize("operation", ["join", "look"])
def test_a_lease_is_counted_from_the_sending_and_not_from_the_answer(monkeypatch, operation):
    """The server begins a lease before its answer is on the way: a slow answer makes it shorter, never longer."""
    limiter, now = RedisLimiter("redis://127.0.0.1:1/0", "slow", 1, 100, lease=10.0), [1_000.0]
    monkeypatch.setattr("mesbatch.admission.redis.time.monotonic", lambda: now[0])
    monkeypatch.setattr(limiter, "_keep_renewing", lambda: None)

    def answer(asked, *_):
        now[0] += 4.0 if asked == operation else 0.0
        return 1, 1

    monkeypatch.setattr(limiter, "_call", answer)
    number = limiter._join(1, "")
    if operation == "look":
        limiter._renew(limiter._own[number])
    assert limiter._own[number].until == 1_010.0
