"""Any interleaving of requests, exceptions, disconnects and kills: the permits that are held are within the limit."""

from __future__ import annotations

import time

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.admission.hands import ENDS, Hands, RemoteHands
from tests.admission.places import Place, RedisPlace

PERMITS, MAX_BYTES, MAX_WAITING = 3, 100, 4
PEOPLE = 3
RECLAIM_SECONDS = 20.0  # the lease, and time for a machine that is busy with other things

people = st.integers(0, PEOPLE - 1)


class AnyInterleaving(RuleBasedStateMachine):
    """Model of the holders of permits, and of their bytes."""

    place: Place
    kills_left: int

    def __init__(self) -> None:
        super().__init__()
        self.watching = Hands(self.place.limiter(PERMITS, MAX_BYTES, max_waiting=MAX_WAITING))
        self.people: list[Hands | RemoteHands] = [self.somebody() for _ in range(PEOPLE)]
        self.held: list[dict[int, int]] = [{} for _ in range(PEOPLE)]

    def somebody(self) -> Hands | RemoteHands:
        return RemoteHands(self.place, PERMITS, MAX_BYTES, MAX_WAITING) if self.place.shared else self.watching

    @rule(who=people, nbytes=st.integers(0, MAX_BYTES), principal=st.sampled_from("ab"))
    def ask(self, who, nbytes, principal):
        sizes = self.sizes()
        fits = len(sizes) < PERMITS and sum(sizes) + nbytes <= MAX_BYTES
        number = self.people[who].take(nbytes, principal)

        assert (number is not None) == fits
        if number is not None:
            self.held[who][number] = nbytes

    @precondition(lambda self: any(self.held))
    @rule(data=st.data(), how=st.sampled_from(ENDS))
    def end(self, data, how):
        who = data.draw(st.sampled_from([who for who in range(PEOPLE) if self.held[who]]))
        number = data.draw(st.sampled_from(sorted(self.held[who])))
        self.people[who].end(number, how)
        del self.held[who][number]

    @precondition(lambda self: self.place.shared and any(self.held) and self.kills_left)
    @rule(data=st.data())
    def kill(self, data):
        self.kills_left -= 1
        who = data.draw(st.sampled_from([who for who in range(PEOPLE) if self.held[who]]))
        self.people[who].kill()
        self.held[who] = {}
        until = time.monotonic() + RECLAIM_SECONDS
        while self.watching.count()[0] > len(self.sizes()):
            assert self.watching.count()[1] <= MAX_BYTES
            assert time.monotonic() < until, "the permits of a dead process did not come back"
        self.people[who] = self.somebody()

    @invariant()
    def the_limiter_counts_what_is_held_and_it_is_within_the_limit(self):
        sizes = self.sizes()
        assert self.watching.count() == [len(sizes), sum(sizes), 0]
        assert len(sizes) <= PERMITS
        assert sum(sizes) <= MAX_BYTES

    def sizes(self) -> list[int]:
        return [nbytes for held in self.held for nbytes in held.values()]

    def teardown(self):
        for who, held in enumerate(self.held):
            for number in held:
                self.people[who].end(number, "release")
            if self.place.shared:
                self.people[who].close()
        assert self.watching.count() == [0, 0, 0]


@pytest.mark.timeout(300)
def test_permits_return_to_nothing_after_any_interleaving(place):
    run(place, examples={"ProcessPlace": 100, "MachinePlace": 6, "RedisPlace": 3}[type(place).__name__], kills=1)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_permits_return_to_nothing_after_many_more(place):
    run(place, examples={"ProcessPlace": 2_000, "MachinePlace": 200, "RedisPlace": 40}[type(place).__name__], kills=5)


def run(place: Place, *, examples: int, kills: int) -> None:
    """Run *examples* of twenty steps each, with at most *kills* in one where leases must run out after each."""
    if isinstance(place, RedisPlace):
        place.lease = 1.5
    kills_left = kills if isinstance(place, RedisPlace) else 20
    machine = type("AnyInterleaving", (AnyInterleaving,), {"place": place, "kills_left": kills_left})
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=20))
