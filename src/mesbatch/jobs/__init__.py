"""Large reads in a process of their own, which outlive the request: submit, follow, cancel, read while they run."""

from mesbatch.jobs.base import Jobs
from mesbatch.jobs.function import Aggregation, Work
from mesbatch.jobs.job import Job
from mesbatch.jobs.local import LocalJobs
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.status import STATUSES, TERMINAL, JobStatus

__all__ = ["STATUSES", "TERMINAL", "Aggregation", "Job", "JobSpec", "JobStatus", "Jobs", "LocalJobs", "Work"]
