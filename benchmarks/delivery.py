"""Delivery to an instant provider: from the log through our readers, and by the official packages from memory.

Each sender is a process of its own: `python -m benchmarks.delivery SENDER ADDRESS SOURCE`. SOURCE is a file of events as
POST /events takes them, or the URL of the database that holds the same ones.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import orjson
import psutil
from amplitude import Amplitude, BaseEvent, Config
from mixpanel import BufferedConsumer, Mixpanel

from analytics_api.deliver.service import DestinationConfig, Destinations
from analytics_api.domain.clock import system_clock
from analytics_api.outbound.connections import make_client
from analytics_api.store.deliveries import reader_name
from analytics_api.store.embedded import EmbeddedServer
from analytics_api.store.engine import Database
from analytics_api.store.projects import list_projects
from analytics_api.store.readers import ensure_reader
from analytics_api.work import run_to_end
from benchmarks.realistic import make_event

PROJECT = "bench"
OPTIONS = {"amplitude": {"api_key": "key"}, "mixpanel": {"token": "token"}}


@dataclass(frozen=True, slots=True)
class Speed:
    """What one sender did."""

    rate: float
    """Events per second, from the first to the last that the provider has."""
    cpu: float
    """Microseconds of processor per event, in the sender's process."""
    database: float = 0.0
    """The same in PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of ours and of the official package's, and of their ratios round by round."""

    ours: Speed
    official: Speed
    rate_ratio: float
    cpu_ratio: float


class Bench:
    """A log of so many events, the same events in a file, and an instant provider."""

    def __init__(self, url: str, file: Path, events: int, port: int, data_dir: Path) -> None:
        self._url = url
        self._file = file
        self._events = events
        self._port = port
        self._data_dir = data_dir

    def run(self, sender: str) -> Speed:
        """Let one sender send all events, and count what the provider has."""
        source = str(self._file) if sender.startswith("official") else self._url
        database = self._database_seconds()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.delivery", sender, f"http://127.0.0.1:{self._port}", source],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{sender} failed: {done.stderr}")
        taken = int(httpx.get(f"http://127.0.0.1:{self._port}/taken").text)
        if taken != self._events:
            raise RuntimeError(f"{sender}: the provider has {taken} of {self._events} events")
        spent = self._database_seconds() - database
        figures = json.loads(done.stdout)
        return Speed(
            self._events / figures["seconds"],
            1e6 * figures["cpu_seconds"] / self._events,
            1e6 * spent / self._events,
        )

    def _database_seconds(self) -> float:
        """Processor time of the database server, ended processes included."""
        main = psutil.Process(int((self._data_dir / "postgres" / "postmaster.pid").read_text().split()[0]))
        total = 0.0
        for process in (main, *main.children()):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
        return total


@contextmanager
def prepared(events: int) -> Iterator[Bench]:
    """A database of its own (fsync on) with the events in it, and the provider."""
    with tempfile.TemporaryDirectory(prefix="analytics-bench-") as folder:
        file = Path(folder) / "events.jsonl"
        dice, now = random.Random(5), datetime.now(UTC)
        file.write_bytes(b"".join(orjson.dumps(make_event(dice, now)) + b"\n" for _ in range(events)))
        server = EmbeddedServer(Path(folder) / "data")
        url = server.start()
        provider = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.instant"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert provider.stdout is not None
            port = int(provider.stdout.readline())
            subprocess.run(
                [sys.executable, "-m", "analytics_api", "import", str(file), "--project", PROJECT],
                env={**os.environ, "ANALYTICS__DATABASE_URL": url},
                cwd=folder,
                check=True,
                capture_output=True,
            )
            yield Bench(url, file, events, port, Path(folder) / "data")
        finally:
            provider.kill()
            provider.communicate()
            server.stop()


def compare(bench: Bench, kind: str, rounds: int) -> Comparison:
    """Ours and the official package's, in turn."""
    pairs = [(bench.run(f"ours-{kind}"), bench.run(f"official-{kind}")) for _ in range(rounds)]
    return Comparison(
        _medians([ours for ours, _ in pairs]),
        _medians([official for _, official in pairs]),
        median(ours.rate / official.rate for ours, official in pairs),
        median((ours.cpu + ours.database) / official.cpu for ours, official in pairs),
    )


def hanging_share(bench: Bench, rounds: int) -> float:
    """Our speed to Mixpanel while Amplitude hangs, as a share of that without Amplitude."""
    return median(
        bench.run("ours-beside-hanging").rate / bench.run("ours-mixpanel").rate for _ in range(rounds)
    )


def _medians(speeds: list[Speed]) -> Speed:
    return Speed(
        median(speed.rate for speed in speeds),
        median(speed.cpu for speed in speeds),
        median(speed.database for speed in speeds),
    )


async def _ours(kind: str, address: str, url: str, *, beside_hanging: bool = False) -> dict[str, float]:
    """One flush of everything in the log, by the service that the product itself uses."""
    database = Database(url)
    await database.open()
    client = make_client()
    # As the official client, which has loaded its modules before.
    assert not client.session.closed

    async def from_the_beginning(name: str, kind: str, address: str) -> Destinations:
        config = DestinationConfig(kind, {**OPTIONS[kind], "url": address}, name=name, project=PROJECT)
        async with database.read() as session:
            project = next(each for each in await list_projects(session) if each.slug == PROJECT)
        async with database.acquire() as connection:
            await ensure_reader(connection, project.id, reader_name(name), 0, system_clock())
        made = Destinations(database, [config], client, owner=name)
        await made.ensure()
        return made

    name = f"{kind}-{os.getpid()}"
    destinations = await from_the_beginning(name, kind, address)
    if beside_hanging:
        stuck = await from_the_beginning(f"stuck-{os.getpid()}", "amplitude", f"{address}/hang")
        await stuck.start_flush()
        await asyncio.sleep(1)
    with measured() as figures:
        await destinations.flush(PROJECT)
    return figures


def _amplitude(address: str, file: str) -> dict[str, float]:
    """The official client, which builds each event with `BaseEvent`, too."""
    events = []
    for event in _events(file):
        fields = {
            name: event[key]
            for name, key in (("device_id", "anonymous_id"), ("user_id", "user_id"))
            if key in event
        }
        properties = {
            **event["event_data"],
            **{f"page_{key}": value for key, value in event["context"]["page"].items()},
        }
        fields |= {
            "insert_id": event["event_id"],
            "time": event["time"],
            "language": event["context"]["locale"],
        }
        events.append((event["event_type"], fields, properties))
    client = Amplitude("key", Config(server_url=f"{address}/batch", use_batch=True, min_id_length=1))
    with measured() as figures:
        for event_type, fields, properties in events:
            client.track(BaseEvent(event_type, event_properties=properties, **fields))
        client.shutdown()
    return figures


def _mixpanel(address: str, file: str) -> dict[str, float]:
    """The official client with its buffer of 50 events."""
    events = []
    for event in _events(file):
        ids = {
            name: event[key]
            for name, key in (("$device_id", "anonymous_id"), ("$user_id", "user_id"))
            if key in event
        }
        page = {f"page_{key}": value for key, value in event["context"]["page"].items()}
        properties = {
            **event["event_data"],
            **page,
            **ids,
            "$insert_id": event["event_id"],
            "time": event["time"],
            "ip": 0,
        }
        events.append((event.get("user_id", event["anonymous_id"]), event["event_type"], properties))
    consumer = BufferedConsumer(events_url=f"{address}/track")
    client = Mixpanel("token", consumer=consumer)
    with measured() as figures:
        for person, event_type, properties in events:
            client.track(person, event_type, properties)
        consumer.flush()
    return figures


def _events(file: str) -> list[dict[str, Any]]:
    """In memory, with their time as both packages want it."""
    with Path(file).open("rb") as lines:
        events = [orjson.loads(line) for line in lines]
    for event in events:
        event["time"] = int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000)
    return events


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Seconds of clock and processor that pass inside."""
    figures: dict[str, float] = {}
    began, spent = time.perf_counter(), time.process_time()
    yield figures
    figures |= {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - spent}


SENDERS: dict[str, Callable[[str, str], dict[str, float]]] = {
    "ours-amplitude": lambda address, url: run_to_end(_ours("amplitude", address, url)),
    "ours-mixpanel": lambda address, url: run_to_end(_ours("mixpanel", address, url)),
    "ours-beside-hanging": lambda address, url: run_to_end(
        _ours("mixpanel", address, url, beside_hanging=True)
    ),
    "official-amplitude": _amplitude,
    "official-mixpanel": _mixpanel,
}

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sender, address, source = sys.argv[1:]
    print(json.dumps(SENDERS[sender](address, source)), flush=True)
    # Nobody waits for what hangs.
    os._exit(0)
