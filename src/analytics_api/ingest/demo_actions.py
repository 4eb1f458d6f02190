"""What the made-up people do besides looking and generating: downloads, uploads with their analysis, photos, shares,
and the variants of experiments that they see.

A dice of its own for each person, so that the rest of their history stays as it is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

Event = dict[str, Any]
Action = tuple[datetime, str, Event]
"""When, what, with what properties."""

_TRACKS = (
    "Night drive",
    "Paper boats",
    "Cloudbreak",
    "Low tide",
    "First snow",
    "Neon garden",
    "Long way home",
)
_FORMATS = (("FLAC", 58), ("ALAC", 27), ("MP3", 15))
_VERSIONS = (("Original", 55), ("Instrumental", 31), ("Both", 14))
_PLATFORMS = {"Mac OS X": "macOS", "iOS": "iOS", "Android": "Android", "Linux": "Linux"}
_PYTHONS = (("3.13.1", 40), ("3.12.8", 35), ("3.11.9", 18), ("3.10.14", 7))
_FILES = (("wav", 42_000_000, 50), ("mp3", 7_000_000, 35), ("flac", 26_000_000, 15))
_DAWS = (("Ableton Live", 34), ("FL Studio", 28), ("Logic Pro", 21), ("Reaper", 10), ("Cubase", 7))
_GENRES = (("House", 26), ("Hip-hop", 23), ("Pop", 18), ("Techno", 14), ("Ambient", 11), ("Rock", 8))
_SHARES = (("whatsapp", 4, 46), ("link", 1, 28), ("email", 2, 17), ("qr", 3, 9))
_TRIES_B = {True: 0.61, False: 0.4775}
"""How likely whoever signs up, or does not, was shown variant b: a real difference in groups of one size."""


def _of(dice: random.Random, weighted: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    return dice.choices(weighted, [entry[-1] for entry in weighted])[0]


class Actions:
    """Of one person, on a system such as `Mac OS X`."""

    def __init__(self, name: str, system: str) -> None:
        self._dice = random.Random(f"demo:actions:{name}")  # noqa: S311 (made-up data, no secrets)
        self._platform = _PLATFORMS.get(system, "Windows")

    def exposures(self, seen_at: datetime, signed_up_at: datetime | None) -> Iterator[Action]:
        """Which variants this person saw: of the button on the first visit, of the tour behind the signup."""
        variant = "b" if self._dice.random() < _TRIES_B[signed_up_at is not None] else "a"
        yield seen_at, "experiment_viewed", {"experiment": "signup-button", "variant": variant}
        if signed_up_at is not None:
            tour = self._dice.choice(("control", "checklist", "video"))
            yield signed_up_at, "experiment_viewed", {"experiment": "first-steps", "variant": tour}

    def of_visit(self, at: datetime) -> Iterator[Action]:
        """In one visit that begins at `at`."""
        dice = self._dice
        if dice.random() < 0.2:
            yield from self._downloads(at + timedelta(seconds=30))
        if dice.random() < 0.11:
            yield from self._analysis(at + timedelta(seconds=60))
        if dice.random() < 0.09:
            yield from self._photos(at + timedelta(seconds=90))

    def _downloads(self, at: datetime) -> Iterator[Action]:
        dice = self._dice
        for number in range(dice.choices((1, 2, 3), (70, 22, 8))[0]):
            yield (
                at + timedelta(seconds=20 * number),
                "download",
                {
                    "track_name": dice.choices(_TRACKS, (24, 20, 17, 14, 11, 8, 6))[0],
                    "format": _of(dice, _FORMATS)[0],
                    "version": _of(dice, _VERSIONS)[0],
                    "platform": self._platform,
                    "python_version": _of(dice, _PYTHONS)[0],
                    "success": dice.random() < 0.972,
                },
            )

    def _analysis(self, at: datetime) -> Iterator[Action]:
        dice = self._dice
        kind, size, _ = _of(dice, _FILES)
        yield at, "file_uploaded", {"type": kind, "size": round(size * dice.lognormvariate(0, 0.35))}
        yield at + timedelta(seconds=5), "daw_selected", {"daw": _of(dice, _DAWS)[0]}
        took = dice.lognormvariate(1.2, 0.4)
        done = at + timedelta(seconds=10 + took)
        if dice.random() < 0.015:
            yield done, "analysis_failed", {"seconds": round(took, 2), "error": "no audio"}
            return
        yield done - timedelta(seconds=1), "genre_detected", {"genre": _of(dice, _GENRES)[0]}
        yield done, "analysis_completed", {"seconds": round(took, 2), "success": True}
        if dice.random() < 0.4:
            yield done + timedelta(seconds=30), "feedback_downloaded", {}
        if dice.random() < 0.25:
            rating = dice.choices((5, 4, 3, 2, 1), (52, 29, 11, 5, 3))[0]
            yield done + timedelta(seconds=45), "rating_given", {"rating": rating}

    def _photos(self, at: datetime) -> Iterator[Action]:
        dice = self._dice
        photos = dice.randint(8, 180)
        yield at, "photo_processed", {"processed_count": photos, "total_files": photos + dice.randint(0, 6)}
        matches = dice.choices((0, dice.randint(1, 40)), (12, 88))[0]
        yield at + timedelta(seconds=25), "search_performed", {"matches_found": matches}
        if not matches:
            return
        yield at + timedelta(seconds=40), "photos_downloaded", {"count": min(matches, photos)}
        if dice.random() < 0.6:
            yield at + timedelta(seconds=60), "link_created", {}
            channel, most, _ = _of(dice, _SHARES)
            reached = {"channel": channel, "recipient_count": dice.randint(1, 2 * most)}
            yield at + timedelta(seconds=75), "share", reached


def faulty_events(start: date, until: datetime) -> list[Event]:
    """Some events of the last days that are not as they should be: see what data quality shows."""
    found = []
    for number in range((until.date() - start).days + 1):
        day = start + timedelta(days=number)
        dice = random.Random(f"demo:faults:{day}")  # noqa: S311
        for each in range(dice.randint(1, 4)):
            at = datetime.combine(day, time(hour=dice.randint(6, 20), minute=each), tzinfo=UTC)
            kind, data = dice.choice(_FAULTS)
            if at <= until:
                found.append(
                    {
                        "event_id": f"demo-fault-{day}-{each}",
                        "event_type": kind,
                        "timestamp": at.isoformat(),
                        "anonymous_id": f"demo-fault-{dice.randint(1, 12)}",
                        "event_data": data,
                        "context": {"demo": True},
                    }
                )
    return found


_FAULTS: tuple[tuple[str, Event], ...] = (
    ("download", {"track_name": "Low tide", "format": "FLAC", "success": "yes"}),
    ("download", {"format": "ALAC", "success": True}),
    ("rating_given", {"rating": "five"}),
    ("rating_given", {"rating": 9}),
    ("file_uploaded", {"type": "wav", "size": "40 MB"}),
    ("checkout_opened", {"cart": 3}),
)
