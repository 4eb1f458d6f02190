"""The metric and money routes behind a client, with a clock that tests set."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi import FastAPI

from analytics_api import problems
from analytics_api.access.authenticator import Authenticator
from analytics_api.aggregate.cohort_routes import router as saved_cohort_router
from analytics_api.aggregate.custom_metric_routes import router as custom_metric_router
from analytics_api.aggregate.goal_routes import router as goal_setting_router
from analytics_api.aggregate.routes import router as money_router
from analytics_api.query.acquisition_routes import router as acquisition_router
from analytics_api.query.analysis.routes import router as analysis_router
from analytics_api.query.analysis.timeline_routes import router as timeline_router
from analytics_api.query.cohort_routes import router as cohort_router
from analytics_api.query.export.routes import router as export_router
from analytics_api.query.goal_routes import router as goal_router
from analytics_api.query.metrics import FigureRules
from analytics_api.query.prediction_routes import router as prediction_router
from analytics_api.query.reports.product_routes import router as product_router
from analytics_api.query.reports.routes import router as report_router
from analytics_api.query.reports.web_routes import router as web_router
from analytics_api.query.routes import router as query_router
from analytics_api.store.engine import Database
from tests.support.figures import LATE_DAYS, at

NOW = at("2026-03-20")


class Api:
    """The routes with a clock that tests set."""

    def __init__(self, database: Database) -> None:
        self.now = NOW
        app = FastAPI()
        query_router.put_into(app)
        prediction_router.put_into(app)
        report_router.put_into(app)
        acquisition_router.put_into(app)
        cohort_router.put_into(app)
        product_router.put_into(app)
        web_router.put_into(app)
        export_router.put_into(app)
        analysis_router.put_into(app)
        timeline_router.put_into(app)
        saved_cohort_router.put_into(app)
        money_router.put_into(app)
        custom_metric_router.put_into(app)
        goal_router.put_into(app)
        goal_setting_router.put_into(app)
        problems.install(app)
        app.state.database = database
        app.state.authenticator = Authenticator(database, open_on_loopback=True)
        app.state.figures = FigureRules(LATE_DAYS, lambda: self.now)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("127.0.0.1", 1)), base_url="http://127.0.0.1"
        )

    async def get(self, path: str, status: int = 200, /, **parameters: Any) -> Any:
        """The JSON answer, whose status must be as said."""
        answer = await self.client.get(path, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, status: int = 200, /) -> Any:
        """The JSON answer, whose status must be as said."""
        answer = await self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def put(self, path: str, body: Any, status: int = 200, /) -> Any:
        """The JSON answer, whose status must be as said."""
        answer = await self.client.put(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def delete(self, path: str, status: int = 204, /) -> None:
        """The status must be as said."""
        answer = await self.client.delete(path)
        assert answer.status_code == status, answer.text

    async def upload(self, path: str, text: str | bytes, status: int = 200, /, **parameters: Any) -> Any:
        """The JSON answer to a CSV file, whose status must be as said."""
        content = text.encode() if isinstance(text, str) else text
        answer = await self.client.post(
            path, content=content, params=parameters, headers={"Content-Type": "text/csv"}
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    async def value(self, metric: str, day: str, **parameters: Any) -> float | None:
        """The value of one bucket."""
        [found] = await self.get(
            "/metrics/aggregated", metric_type=metric, start_date=day, end_date=day, **parameters
        )
        value: float | None = found["value"]
        return value
