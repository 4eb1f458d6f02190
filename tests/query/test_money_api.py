"""POST /rates and /spend: what is stored, what is refused, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_api.domain.project import KeyKind, Project
from analytics_api.store.engine import Database
from analytics_api.store.keys import create_key
from tests.query.api import NOW, Api
from tests.support.figures import payment_on, record


async def test_rates_convert_what_was_unconverted(api: Api, database: Database, project: Project) -> None:
    await record(database, [payment_on(project, "2026-03-02", "ada", "10", currency="EUR")])
    assert await api.value("revenue", "2026-03-02") == 0
    rate = {"currency": "eur", "date": "2026-03-02", "rate": "1.0834"}
    assert await api.post("/rates", rate) == {"stored": 1, "changed": 1}
    assert await api.post("/rates", [rate, rate]) == {"stored": 1, "changed": 0}
    assert await api.value("revenue", "2026-03-02") == 10.834
    assert await api.post("/rates", [{**rate, "rate": 2}]) == {"stored": 1, "changed": 1}
    assert await api.value("revenue", "2026-03-02") == 20


async def test_spend_makes_acquisition_cost(api: Api, database: Database, project: Project) -> None:
    await record(database, [payment_on(project, "2026-02-02", "ada", "10")])
    assert await api.value("cac", "2026-02-01") is None
    spend = {"start_date": "2026-01-31", "end_date": "2026-02-03", "channel": "ads", "amount": 100}
    assert await api.post("/spend", spend) == {"stored": 1, "changed": 1}
    assert await api.post("/spend", spend) == {"stored": 1, "changed": 0}
    assert await api.value("cac", "2026-02-01") == 75
    day = {"date": "2026-02-09", "channel": "ads", "campaign": "spring", "amount": "5.50", "currency": "USD"}
    assert await api.post("/spend", [day, {**spend, "amount": "200"}]) == {"stored": 2, "changed": 2}
    assert await api.value("cac", "2026-02-01") == 155.5


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/rates", {"currency": "USD", "date": "2026-03-02", "rate": 1}, ["USD", "own currency"]),
        ("/rates", {"currency": "EURO", "date": "2026-03-02", "rate": 1}, ["currency", "three letters"]),
        ("/rates", {"currency": "EUR", "date": "2026-03-02", "rate": 0}, ["rate", "greater than 0"]),
        ("/rates", {"currency": "EUR", "date": "2026-03-02", "rate": "NaN"}, ["rate"]),
        ("/rates", {"currency": "EUR", "date": "2026-02-30", "rate": 1}, ["date"]),
        ("/rates", {"currency": "EUR", "date": "2026-03-02", "rate": 1, "day": 1}, ["day", "not known"]),
        ("/rates", [], ["at least 1"]),
        ("/spend", {"date": "2026-03-02"}, ["amount", "required"]),
        ("/spend", {"amount": 1}, ["date"]),
        (
            "/spend",
            {"start_date": "2026-03-02", "end_date": "2026-03-01", "amount": 1},
            ["end_date", "before"],
        ),
        ("/spend", {"date": "2026-03-02", "end_date": "2026-03-03", "amount": 1}, ["either date"]),
        ("/spend", {"date": "2026-03-02", "amount": -1}, ["amount"]),
        ("/spend", {"date": "2026-03-02", "amount": 1, "channel": "a\x00b"}, ["channel"]),
        ("/spend", "nonsense", ["list"]),
    ],
)
async def test_entries_that_cannot_be(api: Api, path: str, body: Any, words: list[str]) -> None:
    problem = await api.post(path, body, 422)
    assert all(word in problem["detail"] for word in words), problem["detail"]


async def test_who_may_do_what(api: Api, database: Database, project: Project) -> None:
    keys: dict[KeyKind, str] = {}
    async with database.write() as connection:
        for kind in KeyKind:
            keys[kind] = await create_key(connection, project.id, kind, now=NOW)
    spend = {"date": "2026-03-02", "amount": 1}
    rate = {"currency": "EUR", "date": "2026-03-02", "rate": 1}
    reads = {KeyKind.READ: 200, KeyKind.ADMIN: 200, KeyKind.WRITE: 403, KeyKind.SERVER: 403}
    for kind, status in reads.items():
        headers = {"Authorization": f"Bearer {keys[kind]}"}
        for path in ("dashboard", "definitions", "revisions", "aggregated?metric_type=dau"):
            assert (await api.client.get(f"/metrics/{path}", headers=headers)).status_code == status
    writes = {KeyKind.READ: 403, KeyKind.ADMIN: 200, KeyKind.WRITE: 403, KeyKind.SERVER: 200}
    for kind, status in writes.items():
        headers = {"X-API-Key": keys[kind]}
        assert (await api.client.post("/spend", json=spend, headers=headers)).status_code == status
        assert (await api.client.post("/rates", json=rate, headers=headers)).status_code == status
    remote = {"Host": "analytics.example"}
    assert (await api.client.get("/metrics/dashboard", headers=remote)).status_code == 401
