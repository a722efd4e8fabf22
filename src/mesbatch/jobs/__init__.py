"""Large reads in processes of their own, which outlive the request: submit, follow, cancel, read while they run."""

from mesbatch.jobs.base import Jobs
from mesbatch.jobs.function import Aggregation, Work
from mesbatch.jobs.job import STATUSES, Job, JobStatus
from mesbatch.jobs.local import LocalJobs
from mesbatch.jobs.spec import JobSpec
from mesbatch.store.protocol import ENDED as TERMINAL

__all__ = ["STATUSES", "TERMINAL", "Aggregation", "Job", "JobSpec", "JobStatus", "Jobs", "LocalJobs", "Work"]
