"""A provider that takes everything at once: `python -m benchmarks.instant` prints its port. Below /hang it never answers."""

from __future__ import annotations

import asyncio

_ANSWERS = {
    "batch": b'{"code": 200, "events_ingested": %d, "payload_size_bytes": 1, "server_upload_time": 1}',
    "import": b'{"code": 200, "num_records_imported": %d, "status": "OK"}',
    "track": b'{"status": 1, "error": null}',
    "taken": b"%d",
}
_HANG = "hang"


class Instant(asyncio.Protocol):
    """One connection. Events are counted by their insert ids; GET /taken says how many, and begins anew."""

    taken = 0

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, found, rest = self._held.partition(b"\r\n\r\n")
        if not found:
            return
        line, *fields = head.decode("latin-1").split("\r\n")
        lengths = [field for field in fields if field.lower().startswith("content-length:")]
        length = int(lengths[0].split(":")[1]) if lengths else 0
        if len(rest) < length:
            return
        self._held = rest[length:]
        self._answer(line.split(" ")[1].partition("?")[0].strip("/"), rest[:length])

    def _answer(self, path: str, body: bytes) -> None:
        if path.startswith(_HANG):
            return
        if path == "taken":
            number, Instant.taken = Instant.taken, 0
        else:
            number = body.count(b"insert_id")
            Instant.taken += number
        answer = _ANSWERS[path]
        text = answer % number if b"%d" in answer else answer
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


async def serve() -> None:
    """Until it is killed."""
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
