"""The client and a server on its bad days: nothing is lost, nothing is counted twice, the program notices nothing."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
from analytics_client import AnalyticsClient, AsyncAnalyticsClient, core

from tests.support.intake import IntakeStandIn
from tests.support.providers.server import Fault

FAULTS = [
    Fault("status", status=503),
    Fault("status", status=429, headers={"Retry-After": "0"}),
    Fault("status", status=500, taken=True),
    Fault("reset"),
    Fault("reset", taken=True),
    Fault("truncate", taken=True),
    Fault("html"),
    Fault("garbage", taken=True),
    Fault("status", status=302, headers={"Location": "/login"}),
    Fault("status", status=401),
]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(core, "LONGEST_WAIT", 0.01)
    monkeypatch.setattr(core, "WAIT_FOR_PEOPLE", 0.01)


@pytest.mark.parametrize("spooled", [True, False])
async def test_every_fault_is_survived(intake: IntakeStandIn, tmp_path: Path, spooled: bool) -> None:
    intake.faults.extend(FAULTS)
    client = AnalyticsClient(intake.url, spool=tmp_path if spooled else False, batch_size=10, timeout=5)
    ids = [client.track("counted", {"number": number}) for number in range(60)]
    assert await asyncio.to_thread(client.flush, 60)
    await asyncio.to_thread(client.close)
    assert list(intake.events) == ids
    assert client.stats.retries == len(FAULTS)
    assert client.stats.duplicates > 0


async def test_every_fault_is_survived_with_asyncio(intake: IntakeStandIn, tmp_path: Path) -> None:
    intake.faults.extend(FAULTS)
    async with AsyncAnalyticsClient(intake.url, spool=tmp_path, batch_size=10) as client:
        ids = [client.track("counted", {"number": number}) for number in range(60)]
        assert await client.flush(60)
    assert list(intake.events) == ids


async def test_batches_are_halved_until_they_fit_and_what_never_fits_is_given_up(
    intake: IntakeStandIn,
) -> None:
    intake.largest = 5_000
    async with AsyncAnalyticsClient(intake.url) as client:
        ids = [client.track("counted", {"text": f"{number}" * 30}) for number in range(10, 100)]
        client.track("counted", {"text": random.Random(1).randbytes(20_000).hex()})
        assert await client.flush(30)
    assert list(intake.events) == ids
    assert client.stats.rejected == 1
    assert {request.headers.get("content-encoding") for request in intake.requests} == {"gzip", None}


async def test_a_rejected_event_holds_up_nobody(intake: IntakeStandIn) -> None:
    async with AsyncAnalyticsClient(intake.url) as client:
        client.track("counted", {"bad": True})
        good = client.track("counted")
        assert await client.flush()
    assert list(intake.events) == [good]
    assert (client.stats.sent, client.stats.rejected) == (1, 1)


async def test_retry_after_is_kept(intake: IntakeStandIn) -> None:
    intake.faults.append(Fault("status", status=429, headers={"Retry-After": "2"}))
    async with AsyncAnalyticsClient(intake.url) as client:
        client.track("counted")
        began = time.monotonic()
        assert await client.flush(30)
    assert time.monotonic() - began >= 2


async def test_a_server_that_hangs_holds_up_neither_track_nor_the_end(intake: IntakeStandIn) -> None:
    intake.broken = Fault("hang")
    client = AnalyticsClient(intake.url, exit_timeout=0.2)
    assert all(client.track("counted") for _ in range(2000))
    assert not await asyncio.to_thread(client.close)
    other = AsyncAnalyticsClient(intake.url)
    assert other.track("counted")
    assert not await other.close(0.2)


async def test_a_full_queue_drops_the_oldest_counts_and_says_so(
    intake: IntakeStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    client = AnalyticsClient("http://127.0.0.1:1", max_queue=10, flush_interval=3600)
    ids = [client.track("counted") for _ in range(25)]
    client.opt_out()
    assert client.stats.dropped == 15
    kept = AsyncAnalyticsClient(intake.url, max_queue=10)
    ids = [kept.track("counted") for _ in range(25)]
    assert await kept.close()
    assert list(intake.events) == ids[15:]
    assert "15 events were given up" in caplog.text


def test_nothing_that_is_tracked_raises(intake: IntakeStandIn) -> None:
    circle: dict[str, object] = {}
    circle["self"] = circle
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("broken")

    client = AnalyticsClient("http://127.0.0.1:1", flush_interval=3600)
    assert client.track("x", circle) is None
    assert client.track("x", {"deep": deep}) is None
    assert client.track("x", {"broken": Broken()}) is None
    assert client.track("x", {"large": "x" * 70_000}) is None
    assert client.track("x", "no dict") is None  # type: ignore[arg-type]
    assert client.track(None) is None  # type: ignore[arg-type]
    assert client.stats.invalid == 6
    assert client.track("x", {"nan": float("nan"), (1, 2): {1, 2}, "b": b"\xff", "s": "\ud800"})  # type: ignore[dict-item]
    client.opt_out()
    assert client.track("x") is None
