"""Both clients against a real server: what is said arrives as it was said."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from analytics_client import AnalyticsClient, AsyncAnalyticsClient

from tests.client.conftest import Stored
from tests.support.intake import IntakeStandIn
from tests.support.processes import ServerProcess


async def test_every_call_arrives(server: ServerProcess, stored: Stored, tmp_path: Path) -> None:
    with AnalyticsClient(server.url, spool=tmp_path) as client:
        moment = datetime(2026, 3, 10, 12, tzinfo=UTC)
        paid = client.track(
            "payment_completed",
            {"payment_id": "p1", "amount": Decimal("19.99"), "email": "ada@example.org"},
            user_id=7,
            timestamp=moment,
            revenue=Decimal("19.99"),
            currency="EUR",
        )
        client.identify(7, {"plan": "pro", "email": "x"}, anonymous_id="dev")
        client.alias("dev-2", 7)
        client.page("/home", title="Home", url="https://example.org/home?utm_source=news", session_id="s")
        client.track_download("Song", "FLAC", ["Original", "Instrumental"])
        client.track_session_completion(success=False)
        client.track_share("s", "u", "whatsapp", {"link": "https://example.org/s/1"}, recipient_count=5)
        client.track_action("s", "u", "photo_processed", {"processed_count": 150})
        assert await asyncio.to_thread(client.flush)
    assert client.stats.sent == client.stats.queued == 8
    (payment,) = await stored("payment_completed")
    assert payment["id"] == paid
    assert (payment["user_id"], payment["revenue"], payment["currency"]) == ("7", Decimal("19.99"), "EUR")
    assert payment["occurred_at"] == moment
    assert json.loads(payment["event_data"]) == {"payment_id": "p1", "amount": 19.99}
    (identify,) = await stored("$identify")
    assert (identify["user_id"], identify["anonymous_id"]) == ("7", "dev")
    assert "email" not in identify["user_properties"]
    (page,) = await stored("page_view")
    assert json.loads(page["context"])["source"]["utm_source"] == "news"
    (download,) = await stored("download")
    assert json.loads(download["event_data"])["version"] == "Original, Instrumental"
    (share,) = await stored("share")
    assert json.loads(share["event_data"])["recipient_count"] == 5
    assert len(await stored("photo_processed")) == len(await stored("session_completed")) == 1
    (alias,) = await stored("$alias")
    assert json.loads(alias["event_data"]) == {"alias": "dev-2"}
    assert not list(tmp_path.rglob("*.events"))


async def test_asyncio(server: ServerProcess, stored: Stored) -> None:
    async with AsyncAnalyticsClient(server.url) as client:
        ids = [client.track("looped", {"number": number}) for number in range(1200)]
        assert await client.flush()
        again = client.track("looped", event_id=ids[0])
        assert again == ids[0]
    assert [row["id"] for row in await stored("looped")] == ids
    assert client.stats.duplicates == 1


def test_many_threads_share_a_client(server: ServerProcess, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with AnalyticsClient(server.url, spool=tmp_path, batch_size=50) as client, ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: client.track("threaded", {"number": number}), range(1000)))
        assert client.flush()
    assert len(set(ids)) == client.stats.sent == 1000
    assert client.stats.duplicates == 0


async def test_what_the_server_refuses_is_said_once(
    server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncAnalyticsClient(server.url) as client:
        client.track("$reserved")
        client.track("fine")
        assert await client.flush()
    assert (client.stats.sent, client.stats.rejected) == (1, 1)
    assert "kept for the system" in caplog.text


async def test_the_sandbox_says_what_would_be_sent_without_personal_data_unless_it_is_asked_for(
    intake: IntakeStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "analytics_client")
    for keep in (False, True):
        client = AnalyticsClient(intake.url, sandbox=True, keep_pii=keep)
        assert client.track("x", {"deep": [{"E-Mail": "ada@example.org"}]})
        assert await asyncio.to_thread(client.close)
    first, second = (record.getMessage() for record in caplog.records)
    assert "ada@" not in first
    assert "ada@" in second
    assert not intake.requests
