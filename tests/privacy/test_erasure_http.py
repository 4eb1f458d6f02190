"""Erasure and export over HTTP, as an administrator does it."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.support.processes import ServerProcess


async def until_done(client: httpx.AsyncClient, job: int) -> dict[str, Any]:
    async with asyncio.timeout(120):
        while True:
            found: dict[str, Any] = (await client.get(f"/privacy/jobs/{job}")).json()
            if found["state"] == "done":
                return found
            await asyncio.sleep(0.2)


async def test_a_person_is_exported_and_erased(process: Callable[..., ServerProcess]) -> None:
    server = process({"ANALYTICS__SANDBOX_MODE": "true"}, "serve", "--with-worker")
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1/analytics", timeout=60) as client:
        events = [
            {"event_type": "a", "user_id": user, "event_data": {"text": "=1+1", "n": -5}}
            for user in ("u1", "u1", "u2")
        ]
        await client.post("/events", json=events)
        await client.post("/process-events")

        packed = zipfile.ZipFile(io.BytesIO((await client.get("/users/u1/export")).content))
        assert packed.testzip() is None
        rows = [json.loads(line) for line in packed.read("events.jsonl").splitlines()]
        assert [row["event_data"] for row in rows] == [{"text": "=1+1", "n": -5}] * 2
        table = list(csv.DictReader(io.StringIO(packed.read("events.csv").decode())))
        assert [row["user_id"] for row in table] == ["u1", "u1"]
        assert "profile.csv" in packed.namelist()
        chosen = {"events": {"event_types": ["a"], "properties": {"n": -5}}}
        packed = zipfile.ZipFile(io.BytesIO((await client.post("/privacy/exports", json=chosen)).content))
        assert len(packed.read("events.jsonl").splitlines()) == 3

        body = {"user_id": "u1", "dry_run": True}
        dry = (await client.post("/privacy/erasures", json=body)).json()
        assert (dry["rows"]["events"], dry["rows"]["persons"]) == (2, 1)
        bodies: list[dict[str, Any]] = [{}, {"user_id": "a", "anonymous_id": "b"}, {"events": {}}]
        for wrong in [*bodies, {"user_id": "a", "mode": "x"}]:
            assert (await client.post("/privacy/erasures", json=wrong)).status_code == 422

        begun = await client.delete("/users/u1")
        assert begun.status_code == 202
        done = await until_done(client, begun.json()["id"])
        assert done["events"] == 2
        signed = (await client.get(f"/privacy/jobs/{done['id']}/report")).json()
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signed["public_key"]))
        text = json.dumps(signed["report"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        key.verify(base64.b64decode(signed["signature"]), text.encode())
        result = (await client.post("/events", json=[events[0]])).json()["results"][0]
        assert (result["status"], result["reason"]) == (
            "ignored",
            "its person has been erased and is kept out",
        )
        assert (await client.delete("/privacy/suppressions?user_id=u1")).json() == {"lifted": 1}
        assert (await client.post("/events", json=[events[0]])).json()["accepted"] == 1
        assert (await client.get("/privacy/jobs/99999")).status_code == 404
