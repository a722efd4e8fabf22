"""Knowledge of `mesbatch doctor`: a memory plan for a machine, and checks of a live set-up."""

from mesbatch.doctor.checks import Finding, examine
from mesbatch.doctor.plan import Plan, make_plan

__all__ = ["Finding", "Plan", "examine", "make_plan"]
