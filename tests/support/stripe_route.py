"""The route for Stripe's webhooks on a project of its own, with its ledgers and figures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from analytics_api import problems
from analytics_api.access.authenticator import Authenticator
from analytics_api.domain.project import Project
from analytics_api.ingest.service import Intake, IntakeLimits
from analytics_api.ingest.stripe.routes import StripeRules, router
from analytics_api.ingest.writer import Writer
from analytics_api.store.engine import Database
from analytics_api.store.partitions import Partitions
from tests.support.events import make_project
from tests.support.figures import point, record, values
from tests.support.stripe import SECRET, Webhook, encoded, sign

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
URL = "/webhooks/stripe"


class Stripe:
    """The route, its ledgers and figures."""

    def __init__(self, database: Database, project: Project, client: httpx.AsyncClient) -> None:
        self.database, self.project, self.client = database, project, client

    async def send(self, *messages: Webhook) -> list[dict[str, Any]]:
        """The answers; each webhook must be taken."""
        answers = []
        for message in messages:
            body = encoded(message)
            answer = await self.client.post(
                URL,
                content=body,
                params={"project": self.project.slug},
                headers={"Stripe-Signature": sign(body, SECRET, when=NOW.timestamp())},
            )
            assert answer.status_code == 200, answer.text
            answers.append(answer.json())
        await record(self.database, [])
        return answers

    async def total(self, metric: str, first: str = "2026-01-01", last: str = "2026-06-15") -> Decimal:
        """A daily figure added up."""
        found = await values(self.database, self.project, metric, first, last, now=NOW)
        return sum((value or Decimal(0) for value in found.values()), Decimal(0))

    async def ledger(self) -> dict[str, list[Any]]:
        """All entries but for their places in the log."""
        statements = {
            "payments": "SELECT DISTINCT kind, entry_id, payment_id, person_id, has_person, occurred_at, day, amount, currency "
            "FROM payments WHERE project_id = $1 ORDER BY 1, 2",
            "changes": "SELECT DISTINCT subscription_id, person_id, kind, occurred_at, effective_at, mrr, currency "
            "FROM subscription_changes WHERE project_id = $1 ORDER BY 1, 4",
            "first": "SELECT user_id, first_payment_at, last_active_day FROM persons WHERE project_id = $1 ORDER BY 1",
        }
        return {
            name: [tuple(row) for row in await self.database.pool.fetch(statement, self.project.id)]
            for name, statement in statements.items()
        }

    async def movements(self) -> dict[date, Any]:
        """MRR month by month with its movements."""
        return {
            month: (await point(self.database, self.project, "mrr", month, now=NOW)).figure.details
            for month in await values(self.database, self.project, "mrr", "2026-01-01", "2026-06-15", now=NOW)
        }


@asynccontextmanager
async def stripe_in(database: Database) -> AsyncIterator[Stripe]:
    """A project of its own behind the route."""
    project = await make_project(database, f"p{uuid4().hex[:12]}")
    writer = Writer(database, Partitions(), queue_bytes=10_000_000)
    writer.start()
    app = FastAPI()
    router.put_into(app)
    problems.install(app)
    app.state.stripe = StripeRules({project.slug: (SECRET,)}, lambda: NOW)
    app.state.authenticator = Authenticator(database, open_on_loopback=False)
    app.state.intake = Intake(writer, IntakeLimits(), clock=lambda: NOW)
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
        ) as client:
            yield Stripe(database, project, client)
    finally:
        await writer.close()
