"""PostgreSQL's planner, asked through any driver."""

from __future__ import annotations

import json
from typing import Any

from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.session import Params, Session


class ExplainingDriver(DbapiDriver):
    """A driver whose planner tells what a statement costs, and how many rows it has."""

    def cost_of(self, session: Session, sql: str, params: Params) -> float | None:
        return float(self._plan(session, sql, params)["Total Cost"])

    def estimate(self, session: Session, sql: str, params: Params) -> int | None:
        return int(self._plan(session, sql, params)["Plan Rows"])

    def _plan(self, session: Session, sql: str, params: Params) -> dict[str, Any]:
        ((plan,),) = self.fetch_all(session, f"EXPLAIN (FORMAT JSON) {sql}", params)
        found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
        return found
