"""Clients that are too slow, too many, or gone, against a real process.

Normal clients are served meanwhile, memory and descriptors stay bounded, and every event that got a 202 is stored exactly once.
"""

from __future__ import annotations

import asyncio
import resource
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from tests.faults.conftest import QUEUE_BYTES, TIMEOUT, USUAL_FILES, Target
from tests.support.load import PATIENCE, Load, stored_ids
from tests.support.processes import ServerProcess
from tests.support.raw import Client, ask, connected, request

LARGEST = 5_242_880
FEW = 10
HEAD, BODY = request(b'{"event_type": "load"}', close=False).split(b"\r\n\r\n")
PLAN = "/api/v1/analytics/tracking-plan"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.05)


def event(one: str) -> bytes:
    return b'{"event_type": "load", "event_id": "%b"}' % one.encode()


async def test_slow_clients_are_given_up_while_others_are_served(hostile_target: Target) -> None:
    """They send heads or bodies a byte at a time, empty lines, or nothing at all; before a request or after one."""
    port = hostile_target.port
    beginnings = {
        "head": (HEAD[:60], [408]),
        "head after a request": (request(close=False) + HEAD[:60], [400, 408]),
        "body": (HEAD + b"\r\n\r\n" + BODY[:3], [408]),
        "chunks": (request(b"1\r\n{\r\n", "Transfer-Encoding: chunked", length=False), [408]),
        "body of another call": (request(b'{"a', "Content-Length: 90", method="PUT", path=PLAN, length=False), [408]),
        "body of a request that was refused": (
            request(b"{", "X-API-Key: wrong", "Content-Length: 900", length=False, close=False), [401],
        ),
        "empty lines": (b"\r\n", []),
        "nothing": (b"", []),
        "nothing after a request": (request(close=False), [400]),
    }  # fmt: skip

    async def be_slow(name: str, beginning: bytes, statuses: list[int]) -> None:
        async with connected(port) as client:
            await client.send(beginning)
            dripping = asyncio.create_task(drip(client, name))
            assert [answer.status for answer in await client.answers()] == statuses, name
            dripping.cancel()

    async def drip(client: Client, name: str) -> None:
        while not name.startswith("nothing"):
            await asyncio.sleep(TIMEOUT / 10)
            await client.send(
                b"\r\n" if name == "empty lines" else b"1\r\na\r\n" if name == "chunks" else b"a"
            )

    slow = [
        be_slow(name, beginning, statuses)
        for name, (beginning, statuses) in beginnings.items()
        for _ in range(40)
    ]
    async with Load(hostile_target.server.url, senders=4) as load:
        giving_up = asyncio.gather(*slow)
        while not giving_up.done():
            await load.reach(10)
        await giving_up
        await load.finish()
    assert set(load.answers) == {202}
    stored = Counter(await stored_ids(hostile_target.database))
    assert {stored[one] for one in load.acknowledged} == {1}
    await hostile_target.still_serves()


async def test_answers_that_nobody_reads_are_given_up(hostile_target: Target) -> None:
    refused = request(b"[" + b",".join([b"1"] * 5000) + b"]", close=False) * 4
    before = hostile_target.gauge("analytics_open_connections")
    async with AsyncExitStack() as stack:
        for _ in range(5):
            client = await stack.enter_async_context(connected(hostile_target.port, receive_buffer=4096))
            client.send_without_waiting(refused)
        await until(lambda: hostile_target.gauge("analytics_open_connections") >= before + 5)
        await until(lambda: hostile_target.gauge("analytics_open_connections") <= before)
    await hostile_target.still_serves()


async def test_bodies_that_are_never_complete_cannot_fill_the_memory(hostile_target: Target) -> None:
    """The oldest of them goes when there is no room; a client that is quick is served all the time."""
    head, _ = request(b"", f"Content-Length: {LARGEST}", length=False, close=False).split(b"\r\n\r\n")
    await hostile_target.still_serves()
    before = hostile_target.memory("VmHWM")
    async with AsyncExitStack() as stack:
        clients = []
        for number in range(40):
            client = await stack.enter_async_context(connected(hostile_target.port))
            await client.send(head + b"\r\n\r\n" + b" " * (LARGEST - 1))
            clients.append(client)
            if number % 8 == 0:
                await hostile_target.still_serves()
        answers = [(await client.answers())[0] for client in clients]
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {503, 408}
    assert statuses.count(408) <= QUEUE_BYTES // LARGEST
    assert all("retry-after" in answer.headers for answer in answers if answer.status == 503)
    assert hostile_target.memory("VmHWM") - before < 100_000_000
    await hostile_target.still_serves()


async def test_clients_that_hang_up_leave_nothing_behind(hostile_target: Target) -> None:
    """Before the end of the head, of the body, and after it, before the answer."""
    acknowledged: list[str] = []
    unfinished: list[str] = []

    async def visit(number: int) -> None:
        one = str(uuid.uuid4())
        whole = request(event(one), close=False)
        async with connected(hostile_target.port) as client:
            match number % 4:
                case 0 | 1:
                    unfinished.append(one)
                    await client.send(whole[: 30 if number % 4 else -5])
                    if number % 3 == 0:
                        client.send_eof()
                        assert await client.answers() == []
                case 2:
                    await client.send(whole)
                case _:
                    await client.send(whole)
                    answer = await client.answer()
                    assert answer is not None
                    assert answer.status == 202
                    acknowledged.append(one)

    async def visits() -> None:
        await asyncio.gather(*(visit(number) for number in range(200)))
        await until(lambda: hostile_target.gauge("analytics_open_connections") <= 1)

    await visits()
    files = hostile_target.open_files()
    tasks = hostile_target.gauge("analytics_tasks")
    for _ in range(3):
        await visits()
    await until(lambda: hostile_target.gauge("analytics_tasks") <= tasks + FEW)
    # The pool of connections to the database may have grown.
    await until(lambda: hostile_target.open_files() <= files + FEW)
    stored = Counter(await stored_ids(hostile_target.database))
    assert {stored[one] for one in acknowledged} == {1}
    assert {stored[one] for one in unfinished} == {0}
    assert max(stored.values()) == 1


async def test_two_thousand_connections_at_once(hostile_target: Target) -> None:
    """Of a server that was started with 1,024 open files; all are connected before the first of them sends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 4_096:
        pytest.skip(f"not shown: this system allows a process {hard} open files")
    assert resource.prlimit(hostile_target.server.pid, resource.RLIMIT_NOFILE)[0] > USUAL_FILES
    ids = [str(uuid.uuid4()) for _ in range(2000)]
    acknowledged: list[str] = []

    async def visit(client: Client, one: str) -> None:
        await client.send(request(event(one), close=False))
        answer = await client.answer()
        assert answer is not None
        assert answer.status == 202, answer
        acknowledged.append(one)

    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4_096), hard))
    try:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(hostile_target.port)) for _ in ids]
            assert hostile_target.gauge("analytics_open_connections") >= 2000
            await asyncio.gather(*map(visit, clients, ids))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    stored = Counter(await stored_ids(hostile_target.database))
    assert sorted(acknowledged) == sorted(ids)
    assert {stored[one] for one in ids} == {1}


async def test_a_server_that_stops_waits_for_no_slow_client(
    process: Callable[..., ServerProcess], database_url: str
) -> None:
    server = process({"ANALYTICS__DATABASE_URL": database_url, "ANALYTICS__SANDBOX_MODE": "true"})

    async def statuses(client: Client) -> list[int]:
        given = [answer.status for answer in await client.answers()]
        client.hang_up()
        return given

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(server.port)) for _ in range(40)]
        for number, client in enumerate(clients):
            await client.send(
                [b"", HEAD[:30], HEAD + b"\r\n\r\n" + BODY[:3], request(close=False)][number % 4]
            )
        assert (await ask(server.port, request(BODY)))[0].status == 202
        answers, code = await asyncio.gather(
            asyncio.gather(*map(statuses, clients)), asyncio.to_thread(server.stop)
        )
    assert code == 0
    assert answers == [[], [], [503], [400]] * 10
    assert "Traceback" not in server.output
