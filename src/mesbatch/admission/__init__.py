"""Admission decides before anything is read, and explains its decision::

    a request ──▶ Cost ──┐
                         ├─▶ AdmissionPolicy.decide ──▶ Accept ──▶ Limiter.permit ──▶ Permit ──▶ read, give it back
    pressure,            │
    permits ────▶ Load ──┘       a pure function        Enqueue
                                                        Reject

`Admission` is all of it behind one call. `AdmissionPolicy` is a table of rules, `LearnedBytes` estimates the bytes of a
key, `PressureGauge` measures memory. A limiter is a `ProcessLimiter`, a `MachineLimiter`, or a
`mesbatch.admission.redis.RedisLimiter`, which has a module of its own because it needs redis.
"""

from mesbatch.admission.admission import Admission, Admitted
from mesbatch.admission.answer import Accept, Decision, Enqueue, Reject
from mesbatch.admission.claims import InFlight
from mesbatch.admission.cost import Cost
from mesbatch.admission.http import HttpAnswer, http_answer
from mesbatch.admission.learned import LearnedBytes
from mesbatch.admission.limiter import Limiter
from mesbatch.admission.load import Lack, Load, Pressure
from mesbatch.admission.machine import MachineLimiter
from mesbatch.admission.permit import HeldBody, Permit
from mesbatch.admission.policy import AdmissionPolicy, Explanation
from mesbatch.admission.pressure import PressureGauge
from mesbatch.admission.process import ProcessLimiter
from mesbatch.admission.result_table import result_policy
from mesbatch.admission.rule import Rule
from mesbatch.admission.trace_table import trace_rules

__all__ = [
    "Accept",
    "Admission",
    "AdmissionPolicy",
    "Admitted",
    "Cost",
    "Decision",
    "Enqueue",
    "Explanation",
    "HeldBody",
    "HttpAnswer",
    "InFlight",
    "Lack",
    "LearnedBytes",
    "Limiter",
    "Load",
    "MachineLimiter",
    "Permit",
    "Pressure",
    "PressureGauge",
    "ProcessLimiter",
    "Reject",
    "Rule",
    "http_answer",
    "result_policy",
    "trace_rules",
]
