"""Handlers of the four routes of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from mesbatch.adapters.http.answers import Answer, answer_json
from mesbatch.adapters.http.options import Dialect
from mesbatch.adapters.http.request import JSON, NDJSON, HttpRequest, name_principal, negotiate, read_count
from mesbatch.adapters.http.stored import TABLES, lines_answer, page_answer, table_answer
from mesbatch.errors import InvalidJobId, JobNotFound
from mesbatch.jobs import Jobs
from mesbatch.store import ResultReader

PREFIX = "/api/trace"


@dataclass(frozen=True)
class JobRoutes:
    """The routes of *jobs*: status, cancellation, pages of the result, and its stream, in *lean* steps or as bytes."""

    jobs: Jobs
    dialect: Dialect
    lean: bool = False

    def show(self, request: HttpRequest, job_id: str) -> Answer:
        negotiate(request, JSON)
        return answer_json(self.jobs.get(job_id, owner=name_principal(request.principal)).as_json(self.dialect.words))

    def cancel(self, request: HttpRequest, job_id: str) -> Answer:
        negotiate(request, JSON)
        return answer_json(
            self.jobs.cancel(job_id, owner=name_principal(request.principal)).as_json(self.dialect.words), 202
        )

    def result(self, request: HttpRequest, job_id: str) -> Answer:
        mimetype = negotiate(request, JSON, *TABLES)
        offset, limit = read_count(request, "offset"), read_count(request, "limit")
        self._check_visible(job_id, name_principal(request.principal))
        result, domain = ResultReader(self.jobs.store, job_id), request.query.get(self.dialect.words.one, "")
        if mimetype == JSON:
            return page_answer(request, result, domain, offset, limit, self.dialect.words)
        return table_answer(request, mimetype, result, domain, offset, limit, self.dialect.csv, self.dialect.words)

    def follow(self, request: HttpRequest, job_id: str) -> Answer:
        mimetype = negotiate(request, NDJSON)
        first = read_count(request, "from")
        self._check_visible(job_id, name_principal(request.principal))
        return lines_answer(request, self.jobs.store, job_id, first, mimetype, lean=self.lean, words=self.dialect.words)

    def _check_visible(self, job_id: str, owner: str) -> None:
        """Raise `JobNotFound` unless *owner* may see the job, or only a result of the oldest layout is left of it.

        The first implementation kept such results longer than the facts of their jobs, and knew no owners.
        """
        try:
            self.jobs.get(job_id, owner=owner)
        except InvalidJobId:
            raise
        except JobNotFound:
            if self.jobs.store.whole_result(job_id) is None:
                raise
