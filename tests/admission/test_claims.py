"""Laws of the order of claims, for any claims."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mesbatch.admission.claims import Claim, Limit, count_claims, draw_claim, next_claim

limits = st.builds(Limit, st.integers(1, 5), st.integers(1, 100), st.integers(0, 10))
arrivals = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100)), max_size=20)


def arrived(limit: Limit, arrivals: list[tuple[str, int]]) -> list[Claim]:
    claims: list[Claim] = []
    for ticket, (principal, nbytes) in enumerate(arrivals, 1):
        claims.append(draw_claim(claims, limit, ticket, principal, min(nbytes, limit.nbytes)))
    return claims


def begin_all(claims: list[Claim], limit: Limit) -> list[Claim]:
    """Let every claim begin that may, and give those that did, in order."""
    begun = []
    while claim := next_claim(claims, limit):
        claims[claims.index(claim)] = replace(claim, holding=True)
        begun.append(claim)
    return begun


@given(limits, arrivals)
def test_the_limit_is_never_exceeded_and_everybody_begins_in_the_end(limit, arrivals):
    claims, order = arrived(limit, arrivals), []
    while claims:
        begun = begin_all(claims, limit)
        in_flight = count_claims(claims)
        assert in_flight.permits <= limit.permits
        assert in_flight.nbytes <= limit.nbytes
        assert in_flight.permits, "nobody may begin although nobody reads"
        order += begun
        claims.remove(next(claim for claim in claims if claim.holding))

    assert len(order) == len(arrivals)


@given(limits, arrivals, st.data())
def test_nobody_is_overtaken_by_more_than_a_bounded_number_of_others(limit, arrivals, data):
    claims = arrived(limit, arrivals)
    if not claims:
        return
    one = data.draw(st.sampled_from(claims))
    ticket = len(claims)
    before = 0
    while True:  # somebody new arrives for each that leaves, for ever
        begun = begin_all(claims, limit)
        if one in begun:
            break
        before += len(begun)
        claims.remove(next(claim for claim in claims if claim.holding))
        ticket += 1
        claims.append(draw_claim(claims, limit, ticket, f"new {ticket}", 0))

    assert before <= one.turn


@given(limits, st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(0, 20))
def test_the_requests_of_one_principal_begin_in_their_order(limit, sizes, others):
    claims = arrived(limit, [("one", size) for size in sizes] + [("other", 1)] * others)
    order = []
    while claims:
        order += begin_all(claims, limit)
        claims.remove(next(claim for claim in claims if claim.holding))

    mine = [claim.ticket for claim in order if claim.principal == "one"]
    assert mine == sorted(mine)


@given(st.integers(2, 10), st.integers(1, 10))
def test_a_newcomer_comes_before_the_second_request_of_everybody_who_is_there(requests, principals):
    limit = Limit(permits=1, nbytes=100, waiting=requests * principals)
    arrivals = [(f"p{number}", 1) for number in range(principals) for _ in range(requests)]
    *claims, newcomer = arrived(limit, [*arrivals, ("newcomer", 1)])
    first = {claim.principal: claim for claim in reversed(claims)}

    assert all(claim is first[claim.principal] or newcomer.turn < claim.turn for claim in claims)


def test_the_first_who_does_not_fit_holds_the_others_back():
    limit = Limit(permits=3, nbytes=10)
    claims = [Claim(1, 1, "a", 6, holding=True), Claim(2, 2, "b", 5), Claim(3, 3, "c", 1)]

    assert next_claim(claims, limit) is None
