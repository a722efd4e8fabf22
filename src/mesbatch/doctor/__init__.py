"""What `mesbatch doctor` knows: the plan for a machine, and what of a live set-up does not agree with it."""

from mesbatch.doctor.checks import Finding, examine
from mesbatch.doctor.plan import Plan, make_plan

__all__ = ["Finding", "Plan", "examine", "make_plan"]
