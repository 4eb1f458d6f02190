"""A client that costs as little as possible: pre-rendered requests over raw keep-alive sockets, answers only counted.

Run as a process of its own: `python -m benchmarks.sender PORT PATH KEY FILE CONNECTIONS`, where FILE holds pickled bodies.
Prints one JSON line: seconds, requests, statuses, CPU seconds of this process and the latencies' percentiles.
"""

from __future__ import annotations

import json
import pickle
import resource
import selectors
import socket
import sys
import time
from collections import Counter
from pathlib import Path


def render(path: str, key: str, body: bytes) -> bytes:
    """An HTTP/1.1 request as bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """One keep-alive connection with one request in flight."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.began = 0.0

    def send(self, request: bytes) -> None:
        self.began = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the answer is complete."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server hung up")
        self.buffer += part
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.buffer[:end].lower()
        at = head.index(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return None
        status = int(self.buffer[9:12])
        self.buffer = b""
        return status


def run(port: int, requests: list[bytes], connections: int) -> dict[str, object]:
    """Send all requests as fast as they are answered."""
    selector = selectors.DefaultSelector()
    waiting = iter(requests)
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    open_now = 0
    for _ in range(connections):
        request = next(waiting, None)
        if request is None:
            break
        connection = Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        open_now += 1
        connection.send(request)
    began = time.perf_counter()
    while open_now:
        for key, _ in selector.select():
            connection = key.data
            status = connection.receive()
            if status is None:
                continue
            statuses[status] += 1
            latencies.append(time.perf_counter() - connection.began)
            request = next(waiting, None)
            if request is None:
                selector.unregister(connection.socket)
                connection.socket.close()
                open_now -= 1
            else:
                connection.send(request)
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    latencies.sort()
    return {
        "seconds": seconds,
        "requests": len(requests),
        "statuses": dict(statuses),
        "cpu_seconds": used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime,
        "median_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
    }


if __name__ == "__main__":
    port_, path_, key_, file_, connections_ = sys.argv[1:]
    bodies = pickle.loads(Path(file_).read_bytes())
    print(json.dumps(run(int(port_), [render(path_, key_, body) for body in bodies], int(connections_))))
