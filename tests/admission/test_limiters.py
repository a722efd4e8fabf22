"""One contract for the limiters in a process, on a machine and in Redis."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from threading import Event, Thread

import pytest

from mesbatch.admission import Limiter
from mesbatch.admission.claims import InFlight
from mesbatch.errors import InvalidLimit, LimiterBusy, PermitReleased, PermitTooLarge
from tests.admission.hands import ENDS, Hands, RemoteHands
from tests.admission.places import Place, describe

ROOT = Path(__file__).parents[2]
NOBODY = InFlight(0, 0, 0)


def wait_until(condition, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        Event().wait(0.002)


def test_no_more_than_the_permits_are_given(place):
    limiter = place.limiter(2, 100)
    with limiter.permit(1), limiter.permit(1):
        with pytest.raises(LimiterBusy, match="2 permits"):
            limiter.permit(1, timeout=0)
        assert limiter.in_flight == InFlight(2, 2, 0)
    assert limiter.in_flight == NOBODY


def test_no_more_than_the_bytes_are_given(place):
    limiter = place.limiter(10, 100)
    with limiter.permit(60):
        with pytest.raises(LimiterBusy):
            limiter.permit(41, timeout=0)
        with limiter.permit(40):
            assert limiter.in_flight == InFlight(2, 100, 0)
    assert limiter.in_flight == NOBODY


def test_the_real_peak_of_holders_is_the_limit(place, tmp_path):
    spans = hold_at_once(place, tmp_path, permits=3, max_bytes=100, holders=6, rounds=15)

    assert len(spans) == 6 * 15
    assert most_at_once((start, end, 1) for start, end, _ in spans) == 3
    assert most_at_once(spans) <= 100
    assert place.limiter(3, 100).in_flight == NOBODY


def test_the_deadline_is_kept_and_nobody_goes_on_after_it(place):
    limiter = place.limiter(1, 100)
    with limiter.permit(1):
        began = time.monotonic()
        with pytest.raises(LimiterBusy, match=r"timeout=0\.2 s") as caught:
            limiter.permit(1, timeout=0.2)
        assert 0.2 <= time.monotonic() - began < 5
        assert limiter.in_flight == InFlight(1, 1, 0)
    assert caught.value.retry_after > 0


def test_a_request_that_waits_gets_the_permit_that_is_given_back(place):
    limiter = place.limiter(1, 100)
    first = limiter.permit(1)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(limiter.permit, 1, timeout=30)
        wait_until(lambda: limiter.in_flight.waiting == 1)
        first.release()
        second.result().release()
    assert limiter.in_flight == NOBODY


def test_a_bounded_number_of_requests_wait(place):
    limiter = place.limiter(1, 100, max_waiting=2)
    first = limiter.permit(1)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(limiter.permit, 1, timeout=30) for _ in range(2)]
        wait_until(lambda: limiter.in_flight.waiting == 2)
        began = time.monotonic()
        with pytest.raises(LimiterBusy, match=r"too many wait already.*2 may wait"):
            limiter.permit(1, timeout=30)
        assert time.monotonic() - began < 10
        first.release()
        for permit in waiting:
            permit.result().release()
    assert limiter.in_flight == NOBODY


def test_where_nobody_may_wait_a_free_permit_is_still_given(place):
    limiter = place.limiter(1, 100, max_waiting=0)
    with limiter.permit(1), pytest.raises(LimiterBusy):
        limiter.permit(1, timeout=30)


def test_a_principal_with_many_requests_does_not_keep_another_waiting(place):
    order = served(place, [("greedy", 1)] * 4 + [("modest", 1)], permits=1)

    assert order.index("modest") == 1  # behind the first of the other, not behind all four


def test_a_large_request_is_not_overtaken_for_ever(place):
    order = served(place, [("a", 100), ("b", 1), ("c", 1)], permits=3, held=50)

    assert order[0] == "a"


@pytest.mark.parametrize("how", ENDS)
def test_a_permit_comes_back_however_a_request_ends(place, how):
    limiter = place.limiter(1, 100)
    hands = Hands(limiter)
    hands.end(hands.take(60), how)

    assert limiter.in_flight == NOBODY


def test_a_permit_outlives_the_view_and_ends_with_the_response(place):
    limiter = place.limiter(1, 100)

    def view():
        with limiter.permit(1) as permit:
            return permit.holding([b"a", b"b"])

    body = view()
    assert next(body) == b"a"
    assert limiter.in_flight.permits == 1
    body.close()
    body.close()
    assert limiter.in_flight == NOBODY


def test_a_permit_that_was_handed_on_comes_back_where_the_view_fails_after_that(place):
    limiter = place.limiter(1, 100)
    with suppress(ZeroDivisionError), limiter.permit(1) as permit:
        body = permit.holding([b"a"])
        _ = 1 / 0
    assert limiter.in_flight == NOBODY
    with pytest.raises(PermitReleased):
        next(body)
    body.close()


def test_a_body_that_fails_inside_the_with_statement_tells_its_own_failure(place):
    limiter = place.limiter(1, 100)
    with pytest.raises(ZeroDivisionError), limiter.permit(1) as permit:
        list(permit.holding(1 // number for number in (1, 0)))
    assert limiter.in_flight == NOBODY


def test_a_permit_that_nobody_gave_back_comes_back_with_a_warning(place):
    limiter = place.limiter(1, 100)

    def die_with_a_permit():
        thread = Thread(target=limiter.permit, args=(1,))
        thread.start()
        thread.join()
        gc.collect()

    with pytest.warns(ResourceWarning, match="neither released"):
        die_with_a_permit()
    assert limiter.in_flight == NOBODY


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_that_was_forked_has_none_of_its_parents_permits(place):
    limiter = place.limiter(1, 100)
    with limiter.permit(1) as permit:
        child = os.fork()
        if not child:
            try:
                permit.release()
            except PermitReleased:
                os._exit(0)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert limiter.in_flight.permits == 1


def test_a_permit_released_twice_is_an_error_and_frees_nothing_twice(place):
    limiter = place.limiter(2, 100)
    permit, other = limiter.permit(1), limiter.permit(1)
    permit.release()

    with pytest.raises(PermitReleased):
        permit.release()
    with pytest.raises(PermitReleased):
        permit.check()
    assert limiter.in_flight.permits == 1
    other.release()


def test_a_request_that_can_never_be_met_does_not_wait(place):
    with pytest.raises(PermitTooLarge, match=r"101 B.*100 B"):
        place.limiter(1, 100).permit(101, timeout=30)


@pytest.mark.parametrize("wrong", [{"nbytes": -1}, {"nbytes": 1.5}, {"nbytes": 1, "timeout": -1}])
def test_a_request_that_makes_no_sense_is_refused(place, wrong):
    with pytest.raises(InvalidLimit):
        place.limiter(1, 100).permit(**wrong)


@pytest.mark.parametrize("wrong", [(0, 1), (1, 0), (-1, 1), (1.5, 1), ("3", 1), (1, 1, -1), (1, 1, 0.5)])
def test_a_limit_that_is_no_count_is_refused(place, wrong):
    permits, max_bytes, *waiting = wrong
    with pytest.raises(InvalidLimit, match="must be an integer"):
        place.limiter(permits, max_bytes, **({"max_waiting": waiting[0]} if waiting else {}))


def test_a_killed_holder_gives_its_permit_back(shared_place):
    hands = RemoteHands(shared_place, 1, 100, 4)
    limiter = shared_place.limiter(1, 100)
    assert hands.take(100) is not None
    assert limiter.in_flight == InFlight(1, 100, 0)

    hands.kill()
    limiter.permit(100, timeout=30).release()


def test_a_process_that_is_killed_while_it_waits_keeps_nobody_waiting(shared_place):
    limiter = shared_place.limiter(1, 100)
    first = limiter.permit(1)
    ahead = RemoteHands(shared_place, 1, 100, 4)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ahead.take, 1, timeout=60)  # never answered
        wait_until(lambda: limiter.in_flight.waiting == 1)
        ahead.signal(9)
        first.release()
        limiter.permit(1, timeout=30).release()
    ahead.kill()


@pytest.fixture
def shared_place(place: Place) -> Place:
    """Give a place that several processes share, with short leases, so that dead holders are found soon."""
    if not place.shared:
        pytest.skip("threads cannot be killed: in one process there is nothing to reclaim")
    if hasattr(place, "lease"):
        place.lease = 2.0
    return place


def served(place: Place, requests: list[tuple[str, int]], permits: int, held: int = 1) -> list[str]:
    """Send *requests* (principal, bytes) one by one, and return the order in which they get permits."""
    limiter = place.limiter(permits, 100)
    first, order = limiter.permit(held), []

    def ask(principal: str, nbytes: int) -> None:
        with limiter.permit(nbytes, principal=principal, timeout=60):
            order.append(principal)

    threads = [Thread(target=ask, args=request) for request in requests]
    for number, thread in enumerate(threads, 1):
        thread.start()
        wait_until(lambda number=number: limiter.in_flight.waiting == number)
    first.release()
    for thread in threads:
        thread.join()
    return order


def hold_at_once(
    place: Place, directory: Path, *, permits: int, max_bytes: int, holders: int, rounds: int
) -> list[tuple[float, float, int]]:
    """Let *holders* hold permits, and return when, by the machine's clock, and for how many bytes each did."""
    if not place.shared:
        limiter = place.limiter(permits, max_bytes)
        with ThreadPoolExecutor(holders) as pool:
            spans = [pool.submit(hold, limiter, number, rounds, directory) for number in range(holders)]
            return [span for one in spans for span in one.result()]
    arguments = json.dumps([describe(place), permits, max_bytes])
    command = [sys.executable, "-m", "tests.admission.test_limiters", arguments]
    processes = [
        subprocess.Popen(
            [*command, str(number), str(rounds), str(directory)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for number in range(holders)
    ]
    return [tuple(span) for process in processes for span in json.loads(process.communicate()[0])]


def hold(limiter: Limiter, number: int, rounds: int, directory: Path) -> list[tuple[float, float, int]]:
    """Hold a permit *rounds* times; the first holders wait once for each other, so that the limit is reached."""
    spans = []
    for turn in range(rounds):
        waits = turn == 0 and number < limiter.limit.permits
        nbytes = 10 if waits else 10 + (number + turn) % 3 * 15
        with limiter.permit(nbytes, principal=str(number), timeout=100):
            start = time.monotonic()
            if waits:
                (directory / f"holder-{number}").touch()
                wait_until(lambda: len(list(directory.glob("holder-*"))) == limiter.limit.permits)
            zlib.compress(bytes(range(256)) * 4_000, 6)  # about as long as a small read
            spans.append((start, time.monotonic(), nbytes))
    return spans


def most_at_once(spans) -> int:
    changes = [change for start, end, size in spans for change in ((start, size), (end, -size))]
    return max(accumulate(size for _, size in sorted(changes)))


def main() -> None:
    from tests.admission.places import find

    place, permits, max_bytes = json.loads(sys.argv[1])
    spans = hold(find(place).limiter(permits, max_bytes), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    print(json.dumps(spans))


if __name__ == "__main__":
    main()
