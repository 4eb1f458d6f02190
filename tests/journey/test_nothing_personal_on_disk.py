"""What must not be written is looked for in every byte that a server leaves behind: PostgreSQL's files, its log, ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support.processes import ServerProcess, clean_environment

FORWARDED, STATED, NAMED, VISITOR, IN_PATH = (
    "203.0.113.77",
    "198.51.100.142",
    "2001:db8:77::4242",
    "203.0.113.199",
    "198.51.100.251",
)
HARMLESS = "planted-and-allowed"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) PlantedAgent/7.42.1"
PLANTED = {
    "ada.planted@example.org", "+49 30 7654321", "4111111111111111", "GB82WEST12345698765432", "planted-reset-token",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl", "Planted Lovelace", "planted-wrong-key",
    FORWARDED, STATED, NAMED, VISITOR, IN_PATH, AGENT, "PlantedAgent",
}  # fmt: skip


def events() -> list[dict[str, object]]:
    data = {
        "note": "write ada.planted@example.org, call +49 30 7654321 or pay with 4111111111111111",
        "account": "GB82WEST12345698765432",
        "auth": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl",
        "Full-Name": "Planted Lovelace",
        "client_ip": NAMED,
        "plan": HARMLESS,
    }
    page = {"url": "https://example.com/?token=planted-reset-token"}
    context = {"ip": STATED, "user_agent": AGENT, "page": page}
    return [
        {"event_type": "a", "user_id": "u1", "event_data": data, "context": context},
        {"event_type": "b", "event_data": data},
        {"event_type": "c", "user_id": "u1", "user_properties": {"$set": data}, "revenue": "no number"},
        {"event_type": "", "event_data": data, "context": context},
        {"event_type": "d", "timestamp": "nonsense", "event_data": data},
        {"event_type": "$alias", "event_data": data},
    ]


def make_key(folder: Path, kind: str) -> str:
    """A key of the running server's default project."""
    command = [sys.executable, "-m", "analytics_api", "keys", "create", "--kind", kind]
    made = subprocess.run(
        command, cwd=folder, env=clean_environment({}), capture_output=True, text=True, check=True
    )
    return made.stdout.splitlines()[-1]


def test_neither_addresses_nor_personal_data_reach_a_disk(
    process: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = process(
        {
            "ANALYTICS__SANDBOX_MODE": "true",
            "ANALYTICS__TRUSTED_PROXIES": "127.0.0.1",
            "ANALYTICS__LOG_LEVEL": "DEBUG",
            "ANALYTICS__FLUSH_INTERVAL_SECONDS": "0.5",
        }
    )
    headers = {"X-Forwarded-For": FORWARDED, "User-Agent": AGENT}
    with httpx.Client(base_url=f"{server.url}/api/v1/analytics", headers=headers, timeout=30) as client:
        # Sandbox mode is off for whoever comes through a proxy, so a key is needed.
        key = make_key(tmp_path, "admin")
        client.headers["X-API-Key"] = key
        plan = {
            "mode": "quarantine",
            "unknown_types": "allow",
            "event_types": {"b": {"schema": {"required": ["x"]}}},
        }
        assert client.put("/tracking-plan", json=plan).status_code == 200
        assert client.put("/privacy/policy", json={"visitor_ids": "daily"}).status_code == 200
        write = make_key(tmp_path, "write")
        for sender in (key, write):
            sent = client.post("/events", json={"events": events()}, headers={"X-API-Key": sender})
            assert sent.status_code == 202
        visitor = {"X-API-Key": write, "X-Forwarded-For": VISITOR}
        [taken] = client.post("/events", json={"event_type": "v"}, headers=visitor).json()["results"]
        assert taken["status"] == "accepted"
        client.post("/events", content=json.dumps(events())[:-9], headers={"X-API-Key": write})
        client.post("/events", json=events(), headers={"X-API-Key": "planted-wrong-key"})
        client.get("/events", params={"key": "planted-wrong-key"})
        client.get("/metrics/dashboard", headers={"X-Forwarded-For": IN_PATH})
        assert client.post("/process-events").status_code == 200
        assert client.get("/privacy/removed").status_code == 200
    server.stop()
    found = set()
    for path in tmp_path.rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        found |= {(planted, path.name) for planted in {*PLANTED, HARMLESS} if planted.encode() in held}
    assert {planted for planted, _ in found} == {HARMLESS}, found
