"""The calls of the implementation guide as they are printed there, pasted into a shell, against the real command."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics_api.domain.event import EventType
from tests.support.processes import ServerProcess

GUIDE_EVENTS = {
    "signup_started", "signup_completed", "email_verified", "login", "logout", "session_created",
    "generation_started", "generation_completed", "generation_failed", "generation_cancelled",
    "payment_initiated", "payment_completed", "payment_failed", "subscription_created", "subscription_cancelled",
    "subscription_upgraded", "subscription_downgraded",
    "referral_sent", "referral_accepted", "referral_milestone_reached", "referral_earnings_withdrawn",
    "page_view", "feature_used", "session_duration", "user_profile_updated", "settings_changed",
}  # fmt: skip

SEND = """
curl -X POST http://localhost:8000/api/v1/analytics/events \\
  -H "Content-Type: application/json" \\
  -d '{"event_type": "test_event", "event_data": {}}'
"""
PROCESS = "curl http://localhost:8000/api/v1/analytics/process-events"
DASHBOARD = "curl http://localhost:8000/api/v1/analytics/metrics/dashboard"
CONFIG = "curl http://localhost:8000/api/v1/analytics/config"
AGGREGATED = (
    "curl 'http://localhost:8000/api/v1/analytics/metrics/aggregated"
    "?metric_type=dau&period=daily&start_date=2024-01-01&end_date=2024-01-31'"
)
FEATURE = """
curl -X POST http://localhost:8000/api/v1/analytics/events -H "Content-Type: application/json" -d '{
  "event_type": "feature_used",
  "event_data": {
    "feature_name": "image_generator",
    "action": "click"
  },
  "user_properties": {
    "subscription_level": "pro"
  }
}'
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    from tests.conftest import _stop_embedded

    folder = tmp_path_factory.mktemp("guide")
    with ServerProcess({}, folder, "run") as started:
        started.start()
        yield started
        started.stop()
    _stop_embedded(folder / ".data")


@pytest.fixture
def paste(server: ServerProcess) -> Callable[[str], Any]:
    """Runs a line in a shell; only the port is another one."""

    def run(line: str) -> Any:
        command = line.replace("localhost:8000", f"localhost:{server.port}").replace("curl ", "curl -sS ", 1)
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return run


def test_the_catalogue_of_the_guide_is_known() -> None:
    assert {kind.value for kind in EventType} >= GUIDE_EVENTS
    for kind in EventType:
        assert kind.description.endswith(".")


def test_an_event_is_sent_processed_and_counted(paste: Callable[[str], Any]) -> None:
    before = paste(DASHBOARD)
    sent = paste(SEND)
    assert (sent["accepted"], sent["rejected"], sent["duplicates"]) == (1, 0, 0)
    assert sent["results"][0]["status"] == "accepted"
    assert paste(FEATURE)["accepted"] == 1

    processed = paste(PROCESS)
    assert processed["rollups"][0]["project"] == "default"
    assert processed["rollups"][0]["position"] >= 2

    after = paste(DASHBOARD)
    fields = {
        "daily_active_users", "monthly_active_users", "new_registrations_today", "revenue_today",
        "conversion_rate", "churn_rate", "ltv_cac_ratio",
    }  # fmt: skip
    assert fields <= after.keys()
    # Nobody was named, so nobody is counted.
    assert after["daily_active_users"] == before["daily_active_users"] == 0
    # What cannot be computed is null, never 0.
    assert after["churn_rate"] is None
    assert after["ltv_cac_ratio"] is None


def test_config(paste: Callable[[str], Any]) -> None:
    config = paste(CONFIG)
    assert {
        "enabled": True,
        "amplitude_configured": False,
        "mixpanel_configured": False,
        "pii_tracking_enabled": False,
        "sandbox_mode": True,
        "batch_size": 100,
        "flush_interval_seconds": 60,
    }.items() <= config.items()


def test_aggregated_metrics(paste: Callable[[str], Any]) -> None:
    days = paste(AGGREGATED)
    assert len(days) == 31
    assert [days[0]["metric_date"], days[-1]["metric_date"]] == ["2024-01-01", "2024-01-31"]
    for day in days:
        assert {"id", "metric_date", "metric_type", "period", "value", "metadata"} <= day.keys()
        assert (day["metric_type"], day["period"], day["value"]) == ("dau", "daily", 0.0)
        assert day["metadata"]["calculated_at"]


def test_people_and_money_of_today(paste: Callable[[str], Any]) -> None:
    before = paste(DASHBOARD)
    batch = {
        "events": [
            {"event_type": "signup_completed", "user_id": "guide-1"},
            {"event_type": "signup_completed", "user_id": "guide-2"},
            {"event_type": "signup_completed", "user_id": "guide-2"},
            {
                "event_type": "payment_completed",
                "user_id": "guide-1",
                "event_data": {"amount": 599.97, "payment_id": "guide-p1"},
            },
            {
                "event_type": "payment_completed",
                "user_id": "guide-1",
                "event_data": {"amount": 599.97, "payment_id": "guide-p1"},
            },
        ]
    }
    line = (
        "curl -X POST http://localhost:8000/api/v1/analytics/events -H 'Content-Type: application/json' "
        f"-d '{json.dumps(batch)}'"
    )
    assert paste(line)["accepted"] == 5
    paste(PROCESS)
    after = paste(DASHBOARD)
    assert after["daily_active_users"] == before["daily_active_users"] + 2
    assert after["monthly_active_users"] == before["monthly_active_users"] + 2
    assert after["new_registrations_today"] == before["new_registrations_today"] + 2
    assert after["revenue_today"] == pytest.approx((before["revenue_today"] or 0) + 599.97)


def test_the_sandbox_shows_what_was_logged(paste: Callable[[str], Any]) -> None:
    event_id = "1d0cf5f5-95a7-4b0b-8f6f-0a2c40f1a1f1"
    paste(SEND.replace('"event_data": {}', f'"event_data": {{"a": 1}}, "event_id": "{event_id}"'))
    paste(PROCESS)
    shown = paste("curl http://localhost:8000/api/v1/analytics/deliveries/sandbox")
    assert event_id in json.dumps(shown)


def test_the_log_holds_no_address_and_no_secret(server: ServerProcess, paste: Callable[[str], Any]) -> None:
    paste(SEND)
    assert "127.0.0.1 " not in server.output.replace(f"127.0.0.1:{server.port} ", "")
    assert Path(server._log).exists()
