"""A process of its own that sends batches again and again with wrong clocks: `python -m tests.support.storm URL SEED COUNT SIZE`."""

from __future__ import annotations

import random
import sys
import uuid
from datetime import UTC, datetime, timedelta

import httpx

from tests.support.load import EVENTS

CLOCKS = (timedelta(), timedelta(hours=-7), timedelta(days=3), timedelta(days=365 * 900))


def main(url: str, seed: int, count: int, size: int) -> None:
    """Send each batch of so many events three times; the ids depend on `seed` only."""
    dice, skew = random.Random(seed), random.Random()
    with httpx.Client(base_url=url, timeout=120, verify=False) as client:
        for _ in range(count):
            ids = [str(uuid.UUID(int=dice.getrandbits(128), version=4)) for _ in range(size)]
            for _ in range(3):
                events = []
                now = datetime.now(UTC) + skew.choice(CLOCKS)
                for one in skew.sample(ids, size):
                    event = {"event_type": "load", "event_id": one, "user_id": f"u{one[:2]}"}
                    if skew.random() < 0.7:
                        event["timestamp"] = now.isoformat()
                    events.append(event)
                body: dict[str, object] = {"events": events}
                if skew.random() < 0.5:
                    body["sent_at"] = now.isoformat()
                answer = client.post(EVENTS, json=body)
                assert answer.status_code == 202, answer.text
                assert answer.json()["rejected"] == 0, answer.text


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
