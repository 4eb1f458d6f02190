"""The tracker inside the caller's own transaction: the event is there if and only if the business row is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast

import asyncpg
import httpx
import pytest
from analytics_client.decorators import AnalyticsTracker, SyncAnalyticsTracker
from analytics_client.testing import RecordingClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from analytics_api.store.log import safe_position
from tests.client.conftest import Stored
from tests.support.browser import dsn_of
from tests.support.processes import ServerProcess

OPEN = timedelta(seconds=float(os.environ.get("ANALYTICS_TEST_OPEN_SECONDS", "2")))


@pytest.fixture
async def engine(server: ServerProcess, server_database: str) -> AsyncIterator[AsyncEngine]:
    """The application's own engine, on the database of the running server."""
    made = create_async_engine(server_database)
    async with made.begin() as connection:
        await connection.execute(text("CREATE TABLE IF NOT EXISTS generations (id text)"))
        await connection.execute(text("TRUNCATE generations"))
    yield made
    await made.dispose()


async def wait_for(stored: Stored, event_type: str, count: int = 1) -> list[str]:
    """Users of the events of a type, once there are so many."""
    async with asyncio.timeout(30):
        while len(rows := await stored(event_type)) < count:
            await asyncio.sleep(0.05)
    return [row["user_id"] for row in rows]


async def outbox_rows(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM event_outbox")) or 0)


async def test_commit_and_rollback(engine: AsyncEngine, stored: Stored) -> None:
    client = RecordingClient()
    for user, commit in (("gone", False), ("stays", True)):
        async with AsyncSession(engine) as session:
            tracker = AnalyticsTracker(client, session)
            await session.execute(text("INSERT INTO generations VALUES (:id)"), {"id": user})
            made = await tracker.track_generation(
                user, "image", "started", prompt_length=4, email="ada@example.org"
            )
            assert made
            await (session.commit() if commit else session.rollback())
    assert await wait_for(stored, "generation_started") == ["stays"]
    (row,) = await stored("generation_started")
    assert row["id"] == made
    assert json.loads(row["event_data"]) == {"generation_type": "image", "prompt_length": 4}
    async with engine.connect() as connection:
        assert list(await connection.scalars(text("SELECT id FROM generations"))) == ["stays"]
    # An event leaves the outbox in a transaction after the one that stores it.
    async with asyncio.timeout(30):
        while await outbox_rows(engine):
            await asyncio.sleep(0.05)
    assert client.events == []


async def test_a_transaction_that_stays_open_delays_nobody(
    engine: AsyncEngine, stored: Stored, server: ServerProcess, server_database: str
) -> None:
    """Two seconds stand for a minute, unless ANALYTICS_TEST_OPEN_SECONDS says 60: a round of the relay or of a reader takes less."""
    others = 0
    async with AsyncSession(engine) as slow, httpx.AsyncClient(base_url=server.url) as direct:
        await AnalyticsTracker(RecordingClient(), slow).track_subscription(
            "slow", "created", amount=Decimal("9.99")
        )
        began = await moment(engine)
        while await moment(engine) - began < OPEN:
            async with AsyncSession(engine) as quick:
                await AnalyticsTracker(RecordingClient(), quick).track_payment(
                    f"quick{others}", Decimal("19.99"), "EUR", "completed", payment_id=str(others)
                )
                await quick.commit()
            body = {"event_type": "directly", "user_id": f"quick{others}", "event_data": {"n": others}}
            assert (await direct.post("/api/v1/analytics/events", json=body)).status_code == 202
            others += 1
            # Each is there before the next one is sent, with the transaction still open.
            assert len(await wait_for(stored, "payment_completed", others)) == others
            assert len(await wait_for(stored, "directly", others)) == others
        # Readers of the log, such as figures and destinations, need not wait for that transaction either.
        connection = await asyncpg.connect(dsn_of(server_database))
        try:
            assert await safe_position(connection) >= (await stored("directly"))[-1]["seq"]
        finally:
            await connection.close()
        assert await stored("subscription_created") == []
        payment = (await stored("payment_completed"))[0]
        assert (payment["revenue"], payment["trusted"]) == (Decimal("19.99"), True)
        await slow.commit()
    assert await wait_for(stored, "subscription_created") == ["slow"]
    assert others > 1


async def moment(engine: AsyncEngine) -> datetime:
    """The database's time."""
    async with engine.connect() as connection:
        return cast("datetime", await connection.scalar(text("SELECT clock_timestamp()")))


async def test_what_goes_wrong_leaves_the_callers_transaction_alone(
    engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncSession(engine) as session:
        await session.execute(text("ALTER TABLE event_outbox RENAME TO away"))
        tracker = AnalyticsTracker(RecordingClient(), session)
        assert await tracker.track_engagement("u", "export") is None
        assert await tracker.track("") is None
        await session.execute(text("ALTER TABLE away RENAME TO event_outbox"))
        await session.execute(text("INSERT INTO generations VALUES ('kept')"))
        await session.commit()
    async with engine.connect() as connection:
        assert list(await connection.scalars(text("SELECT id FROM generations"))) == ["kept"]
    assert "event_outbox" in caplog.text


async def test_an_event_that_the_server_refuses_holds_up_nobody(
    engine: AsyncEngine, stored: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncSession(engine) as session:
        await session.execute(
            text(
                "INSERT INTO event_outbox (project_id, event, created_at) SELECT id, '[]', now() FROM projects"
            )
        )
        nowhere = AnalyticsTracker(RecordingClient(), session, project="nowhere")
        assert await nowhere.track("x") is None
        await AnalyticsTracker(RecordingClient(), session).track_referral("u", "sent", channel="email")
        await session.commit()
    assert await wait_for(stored, "referral_sent") == ["u"]
    async with asyncio.timeout(30):
        while await outbox_rows(engine):
            await asyncio.sleep(0.05)
    assert "there is no project 'nowhere'" in caplog.text


async def test_without_a_session_events_go_through_the_client() -> None:
    client = RecordingClient()
    tracker = AnalyticsTracker(client)
    for status in ("started", "completed"):
        await tracker.track_generation(user_id="7", generation_type="image", status=status, result_id=1)
    await tracker.track_session("7", "s")
    await tracker.track_session("7", "s", 12.5)
    assert SyncAnalyticsTracker(client).track_engagement("7", "export", "click")
    assert [event["event_type"] for event in client.events] == [
        "generation_started",
        "generation_completed",
        "session_created",
        "session_duration",
        "feature_used",
    ]
    assert {event.get("session_id") for event in client.events} == {None, "s"}


async def test_a_session_without_asyncio(engine: AsyncEngine, stored: Stored) -> None:
    async with AsyncSession(engine) as session:

        def work(plain: Session) -> None:
            assert SyncAnalyticsTracker(RecordingClient(), plain).track_generation("u", "image", "failed")
            plain.commit()

        await session.run_sync(work)
    assert await wait_for(stored, "generation_failed") == ["u"]
