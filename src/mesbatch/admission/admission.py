"""Policy, pressure and permits behind one call, so that none of them is forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mesbatch.admission.answer import Accept, Decision, Enqueue, Reject, severity
from mesbatch.admission.cost import Cost
from mesbatch.admission.limiter import WAIT_SECONDS, Limiter
from mesbatch.admission.permit import HeldBody, Permit
from mesbatch.admission.policy import AdmissionPolicy
from mesbatch.admission.pressure import HasBudget, PressureGauge
from mesbatch.errors import LimiterBusy
from mesbatch.memory.process import release

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Admitted:
    """Decision to read now. Memory is given back to the system together with the permit where *answer* asks for that.

    Attributes:
        answer: The decision.
        permit: The permit, which is to be given back.
        gauge: The gauge of memory, which makes the budget of a reader smaller under pressure.
    """

    answer: Accept
    permit: Permit
    gauge: PressureGauge

    def holding(self, body: Iterable[T], reader: HasBudget) -> HeldBody[T]:
        """Hold the permit until *body* ends, fails or is closed.

        The *reader* that *body* reads from gets half of its ``max_bytes`` while memory is short.
        """
        relief = ExitStack()
        relief.enter_context(self.gauge.relieving(reader))
        self.permit.before_release(relief.close)
        return self.permit.holding(body)


@dataclass(frozen=True, slots=True)
class Admission:
    """Decision for each request, to read it now, as a job, or not; nothing is read now without a permit.

    Args:
        policy: The table of rules.
        limiter: The permits.
        gauge: The gauge of memory.

    >>> from mesbatch.admission import ProcessLimiter
    >>> from mesbatch.memory.process import Memory
    >>> gauge = PressureGauge(memory=lambda: Memory(2**30, 2**29, 2**29, used=0.5, rss=2**26))
    >>> admission = Admission(AdmissionPolicy(), ProcessLimiter(permits=2, max_bytes=2**25), gauge)
    >>> match admission.admit(Cost("query_tool", keys=500, streamed=True)):
    ...     case Admitted(answer, permit):
    ...         with permit:
    ...             print(answer.cacheable)
    ...     case Enqueue() | Reject() as decision:
    ...         print(decision)
    True
    """

    policy: AdmissionPolicy
    limiter: Limiter
    gauge: PressureGauge = field(default_factory=PressureGauge)

    def admit(
        self, cost: Cost, *, worker_listens: bool = False, principal: str = "", timeout: float = WAIT_SECONDS
    ) -> Admitted | Enqueue | Reject:
        """Decide; to read now, wait up to *timeout* seconds for a permit, and decide again with the new load.

        A request that finds no permit in time, or too many that wait, is refused and may be repeated.

        Raises:
            UnknownProfile: see `AdmissionPolicy.decide`.
            PermitTooLarge, LimiterUnavailable: see `Limiter.permit`.
        """
        first = self._decide(cost, worker_listens)
        if not isinstance(first, Accept):
            return first
        nbytes = self._nbytes(cost, first)
        try:
            permit = self.limiter.permit(nbytes, principal=principal, timeout=timeout)
        except LimiterBusy as busy:
            return Reject(str(busy), retry_after=busy.retry_after)
        try:
            answer = max(first, self._decide(cost, worker_listens, ours=nbytes), key=severity)
            if isinstance(answer, Accept):
                if answer.release:
                    permit.before_release(release)
                return Admitted(answer, permit, self.gauge)
        except BaseException:
            permit.release()
            raise
        permit.release()
        return answer

    def refuse_early(self, cost: Cost, *, worker_listens: bool = False) -> Reject | None:
        """Refuse a request whose keys are not all counted yet, if those of *cost* are too many already; else None.

        More keys never have a milder answer, so the rest need not be counted.

        Raises:
            UnknownProfile: see `AdmissionPolicy.decide`.
        """
        decision = self._decide(cost, worker_listens)
        if not isinstance(decision, Reject) or decision.limit is None:
            return None
        return replace(decision, reason=f"{decision.reason}; more were not counted", key_count_exact=False)

    def _decide(self, cost: Cost, worker_listens: bool, ours: int = 0) -> Decision:
        """Ask the policy now; *ours* are the bytes of a permit that this request holds already."""
        promised = max(0, self.limiter.in_flight.nbytes - ours)
        load = self.gauge.load(worker_listens=worker_listens, promised=promised)
        limits = (load.memory_limit, self.limiter.limit.nbytes)  # the bytes of all permits limit memory, too
        return self.policy.decide(cost, replace(load, memory_limit=min(limit for limit in limits if limit is not None)))

    def _nbytes(self, cost: Cost, answer: Accept) -> int:
        held = cost.buffers if answer.streamed else cost.held
        return self.policy.max_answer_bytes if held is None else held
