"""Claims to a permit: their order and the arithmetic of a limit, without locks, files or servers."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

from mesbatch.admission.check import check_count
from mesbatch.units import format_bytes

MAX_WAITING = 16  # each holds a thread, and gunicorn has 8 in the incident's deployment


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *permits* holders, *nbytes* among them, and *waiting* more that wait.

    Raises:
        InvalidLimit: a number is no integer, or too small to let anybody through.
    """

    permits: int
    nbytes: int
    waiting: int = MAX_WAITING

    def __post_init__(self) -> None:
        check_count("permits", self.permits, least=1)
        check_count("max_bytes", self.nbytes, least=1)
        check_count("max_waiting", self.waiting)

    def __str__(self) -> str:
        return f"{self.permits} permits of {format_bytes(self.nbytes)} in all, {self.waiting} may wait"


@dataclass(frozen=True, slots=True)
class Claim:
    """A permit that is held or waited for. Claims begin in the order of *turn*, then of *ticket*, their arrival."""

    ticket: int
    turn: int
    principal: Hashable
    nbytes: int
    holding: bool = False


@dataclass(frozen=True, slots=True)
class InFlight:
    """State of a limiter.

    Attributes:
        permits: Permits that are held.
        nbytes: Bytes promised to their holders.
        waiting: Claims that wait.

    >>> InFlight(permits=1, nbytes=100, waiting=0).permits
    1
    """

    permits: int
    nbytes: int
    waiting: int


def count_claims(claims: Collection[Claim]) -> InFlight:
    """Count the claims that hold a permit and those that wait."""
    held = [claim.nbytes for claim in claims if claim.holding]
    return InFlight(len(held), sum(held), len(claims) - len(held))


def draw_claim(claims: Iterable[Claim], limit: Limit, ticket: int, principal: Hashable, nbytes: int) -> Claim:
    """Make the claim of *principal* that arrives as number *ticket* and finds *claims*.

    Its turn is its ticket. Where the same principal has a claim already, its turn is as many places behind that one as
    there can be claims, so that many requests of one principal do not keep another waiting. No claim waits for ever,
    because only tickets below its turn can come before it.

    >>> limit = Limit(permits=1, nbytes=10, waiting=3)
    >>> first = draw_claim([], limit, 1, "ann", 5)
    >>> second = draw_claim([first], limit, 2, "ann", 5)
    >>> other = draw_claim([first, second], limit, 3, "bob", 5)
    >>> first.turn, second.turn, other.turn
    (1, 5, 3)
    """
    last = max((claim.turn for claim in claims if claim.principal == principal), default=None)
    turn = ticket if last is None else max(ticket, last + limit.permits + limit.waiting)
    return Claim(ticket, turn, principal, nbytes)


def next_claim(claims: Collection[Claim], limit: Limit) -> Claim | None:
    """Find the claim that may begin now, if there is one.

    No claim overtakes another: while the first one does not fit, the others wait with it, or a large claim would never
    begin.
    """
    in_flight = count_claims(claims)
    waiting = [claim for claim in claims if not claim.holding]
    if not waiting or in_flight.permits >= limit.permits:
        return None
    first = min(waiting, key=lambda claim: (claim.turn, claim.ticket))
    return first if in_flight.nbytes + first.nbytes <= limit.nbytes else None


def digest(principal: str) -> bytes:
    """Digest *principal* for a place that many processes can read: 16 bytes, whatever it holds."""
    return blake2b(principal.encode("utf-8", "surrogatepass"), digest_size=16).digest()
