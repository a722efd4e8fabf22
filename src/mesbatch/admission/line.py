"""Who may begin next: the arithmetic of a limit, kept apart from locks, files and servers."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from hashlib import blake2b

from mesbatch.admission.check import check_count
from mesbatch.units import format_bytes

LINE = 16  # waiting at most: each holds a thread, and gunicorn has 8 in the incident's deployment


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *permits* holders, *nbytes* among them, and *line* who wait.

    Raises:
        InvalidLimit: a number is no integer, or too small to let anybody through.
    """

    permits: int
    nbytes: int
    line: int = LINE

    def __post_init__(self) -> None:
        check_count("permits", self.permits, least=1)
        check_count("max_bytes", self.nbytes, least=1)
        check_count("line", self.line)

    def __str__(self) -> str:
        return f"{self.permits} permits of {format_bytes(self.nbytes)} in all, {self.line} in line"


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody who holds a permit or waits for one; the line goes by *turn*, then by *ticket*, the order of arrival."""

    ticket: int
    turn: int
    principal: Hashable
    nbytes: int
    holding: bool = False


@dataclass(frozen=True, slots=True)
class InFlight:
    """The permits that are held, the bytes promised to their holders, and who waits."""

    permits: int
    nbytes: int
    waiting: int


def count_claims(claims: Collection[Claim]) -> InFlight:
    """Count who holds and who waits."""
    held = [claim.nbytes for claim in claims if claim.holding]
    return InFlight(len(held), sum(held), len(claims) - len(held))


def draw_claim(claims: Iterable[Claim], limit: Limit, ticket: int, principal: Hashable, nbytes: int) -> Claim:
    """The claim of *principal*, who arrives as number *ticket* and finds *claims*.

    Its turn is its ticket, but a whole line behind the last claim that the same principal still has: many requests of
    one do not keep another waiting. Nobody waits for ever, because only tickets below its turn can come before a claim.

    >>> limit = Limit(permits=1, nbytes=10, line=3)
    >>> first = draw_claim([], limit, 1, "ann", 5)
    >>> second = draw_claim([first], limit, 2, "ann", 5)
    >>> other = draw_claim([first, second], limit, 3, "bob", 5)
    >>> first.turn, second.turn, other.turn
    (1, 5, 3)
    """
    last = max((claim.turn for claim in claims if claim.principal == principal), default=None)
    turn = ticket if last is None else max(ticket, last + limit.permits + limit.line)
    return Claim(ticket, turn, principal, nbytes)


def next_claim(claims: Collection[Claim], limit: Limit) -> Claim | None:
    """The claim that may begin now, if there is one.

    Nobody overtakes: while the first in line does not fit, the others wait with it, or a large claim would never begin.
    """
    in_flight = count_claims(claims)
    waiting = [claim for claim in claims if not claim.holding]
    if not waiting or in_flight.permits >= limit.permits:
        return None
    first = min(waiting, key=lambda claim: (claim.turn, claim.ticket))
    return first if in_flight.nbytes + first.nbytes <= limit.nbytes else None


def digest(principal: str) -> bytes:
    """What stands for *principal* where many processes can read it: 16 bytes, whatever it holds."""
    return blake2b(principal.encode("utf-8", "surrogatepass"), digest_size=16).digest()
