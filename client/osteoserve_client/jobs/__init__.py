"""Jobs that survive: what is to be done, is being done and was done, in one SQLite file.

A store knows neither images nor services; a job is a key and whatever JSON its owner needs.
"""

from osteoserve_client.jobs.backoff import delay_s
from osteoserve_client.jobs.job import Job, State
from osteoserve_client.jobs.store import JobStore, read_jobs

__all__ = ["Job", "JobStore", "State", "delay_s", "read_jobs"]
