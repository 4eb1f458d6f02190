"""Made-up history of a plausible product, for trying things out.

Every visitor's life follows from the day of the first visit and a number alone. So the same days always give the same
events with the same ids: running it again adds only what has happened since.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from analytics_api.ingest.demo_actions import Action, Actions, Event

_EPOCH = date(2024, 1, 1)
_SITE = "https://demo.example"
_PAGES = (
    ("/", "Home", 30),
    ("/pricing", "Pricing", 22),
    ("/features", "Features", 14),
    ("/docs/getting-started", "Getting started", 12),
    ("/blog/why-we-moved-to-postgres", "Why we moved to PostgreSQL", 9),
    ("/gallery", "Gallery", 8),
    ("/about", "About", 3),
    ("/changelog", "Changelog", 2),
)
_APP_PAGES = (
    ("/app", "Projects", 30),
    ("/app/generate", "Generate", 40),
    ("/app/gallery", "My gallery", 20),
    ("/app/settings", "Settings", 10),
)
_SOURCES = (
    ("", "", 30),
    ("https://www.google.com/", "", 26),
    ("https://github.com/", "", 7),
    ("https://news.ycombinator.com/", "", 6),
    ("https://chatgpt.com/", "", 7),
    ("https://duckduckgo.com/", "", 4),
    ("https://www.bing.com/", "", 3),
    ("https://www.reddit.com/", "", 3),
    ("https://www.youtube.com/", "?utm_source=youtube&utm_medium=video&utm_campaign=tutorials", 4),
    ("https://t.co/abc", "?utm_source=twitter&utm_medium=social&utm_campaign=launch", 4),
    ("", "?utm_source=newsletter&utm_medium=email&utm_campaign=monthly", 5),
    ("https://www.google.com/", "?utm_source=google&utm_medium=cpc&utm_campaign=brand", 4),
)
_COUNTRIES = tuple(
    (entry[:2], int(entry[2:]))
    for entry in " ".join(
        (
            "US270 DE110 GB90 IN80 FR60 BR50 CA40 NL32 JP31 AU28 ES24 IT22 PL20 SE18 CH16 KR15 MX14 NG13 ID12 AT11",
            "BE10 DK10 NO9 FI9 PT8 CZ8 IE7 SG7 ZA7 TR6 AR6 UA6 RO5 NZ5 IL5 PH5 VN4 CO4 EG3 KE3 AE3 CL3 GR3 HU3 TH3 MT1",
        )
    ).split()
)
_DEVICES = (
    ("desktop", "Windows", "Chrome", 24),
    ("desktop", "Mac OS X", "Chrome", 13),
    ("desktop", "Mac OS X", "Safari", 8),
    ("desktop", "Windows", "Edge", 6),
    ("desktop", "Linux", "Firefox", 6),
    ("mobile", "iOS", "Mobile Safari", 20),
    ("mobile", "Android", "Chrome Mobile", 17),
    ("tablet", "iOS", "Mobile Safari", 4),
    ("tablet", "Android", "Chrome", 2),
)
_PLANS = (("starter", 12, "month", 55), ("pro", 29, "month", 35), ("pro", 290, "year", 10))
_FEATURES = ("image_generator", "search", "export", "templates", "share")


def demo_events(start: date, until: datetime) -> list[Event]:
    """All events from the first instant of `start` (UTC) up to `until`, in the order of time."""
    beginning = datetime.combine(start, time.min, tzinfo=UTC)
    events = [
        event
        for number in range((until.date() - start).days + 366)
        for event in _cohort(start + timedelta(days=number - 365))
        if beginning <= event["timestamp"] <= until
    ]
    events.sort(key=lambda event: (event["timestamp"], event["event_id"]))
    for event in events:
        event["timestamp"] = event["timestamp"].isoformat()
        event["context"]["demo"] = True
    return events


def _cohort(day: date) -> Iterator[Event]:
    """Everything that the people who came first on `day` ever do."""
    dice = random.Random(f"demo:{day}")  # noqa: S311 (made-up data, no secrets)
    age = (day - _EPOCH).days
    weekly = 0.62 if day.weekday() >= 5 else 1.0
    visitors = round(max(4, 14 + age * 0.022) * weekly * dice.uniform(0.8, 1.25))
    for number in range(visitors):
        yield from _Life(day, number).events()


def _pick(dice: random.Random, weighted: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    return dice.choices(weighted, [entry[-1] for entry in weighted])[0]


class _Life:
    """One visitor, from the first page to the last day."""

    def __init__(self, day: date, number: int) -> None:
        self._day = day
        self._dice = random.Random(f"demo:{day}:{number}")  # noqa: S311
        self._name = f"{day:%Y%m%d}-{number}"
        self._count = 0
        self._acts = 0
        self._referrer, self._query, _ = _pick(self._dice, _SOURCES)
        device, system, browser, _ = _pick(self._dice, _DEVICES)
        self._context: dict[str, Any] = {
            "country": _pick(self._dice, _COUNTRIES)[0],
            "device": device,
            "os": system,
            "browser": browser,
        }
        self._user: str | None = None
        self._actions = Actions(self._name, system)

    def _acted(self, action: Action) -> Event:
        """What somebody did, with an id that depends on such actions alone."""
        self._acts += 1
        at, event_type, data = action
        return self._event(
            at,
            event_type,
            data,
            event_id=f"demo-{self._name}-act-{self._acts}",
            session_id=f"demo-{self._name}-{at:%Y%m%d}",
        )

    def _event(self, at: datetime, event_type: str, data: Event | None = None, **fields: Any) -> Event:
        self._count += "event_id" not in fields
        return {
            "event_id": f"demo-{self._name}-{self._count}",
            "event_type": event_type,
            "timestamp": at,
            "event_data": data or {},
            "context": dict(self._context),
            "anonymous_id": f"demo-device-{self._name}",
            **({"user_id": self._user} if self._user else {}),
            **fields,
        }

    def _page(self, at: datetime, path: str, title: str, *, entry: bool) -> Event:
        """A look at a page; the first one of a visit came from where the visitor did."""
        came_from = self._context.get("page", {}).get("url", "")
        self._context["page"] = {
            "url": f"{_SITE}{path}{self._query if entry else ''}",
            "path": path,
            "title": title,
            "referrer": self._referrer if entry else came_from,
        }
        return self._event(at, "page_view", {"path": path, "title": title})

    def _moment(self, day: date) -> datetime:
        """A time of day, most often in the afternoon."""
        hour = min(23.9, max(0.0, self._dice.gauss(14.5, 4.2)))
        return datetime.combine(day, time.min, tzinfo=UTC) + timedelta(hours=hour)

    def events(self) -> Iterator[Event]:
        """In the order in which they happen, roughly."""
        first: datetime | None = None
        signed_up: datetime | None = None
        for event in self._life():
            first = first or event["timestamp"]
            if event["event_type"] == "signup_completed":
                signed_up = event["timestamp"]
            yield event
        if first is not None:
            yield from map(self._acted, self._actions.exposures(first, signed_up))

    def _life(self) -> Iterator[Event]:
        dice = self._dice
        at = self._moment(self._day)
        for page in range(dice.choices((1, 2, 3, 5), (45, 25, 20, 10))[0]):
            landing = 0 if dice.random() < 0.6 else dice.randrange(len(_PAGES))
            path, title, _ = _pick(dice, _PAGES) if page else _PAGES[landing]
            yield self._page(at, path, title, entry=page == 0)
            at += timedelta(seconds=dice.uniform(8, 120))
        if dice.random() > 0.24:
            return
        yield self._page(at, "/signup", "Sign up", entry=False)
        at += timedelta(seconds=dice.uniform(4, 30))
        yield self._event(at, "signup_started", {"method": "email"})
        if dice.random() > 0.72:
            return
        at += timedelta(seconds=dice.uniform(30, 240))
        self._user = f"demo-user-{self._name}"
        # From here on the visits before are this user's, too.
        yield self._event(at, "$identify")
        source = self._query.partition("utm_source=")[2].partition("&")[0] or "direct"
        yield self._event(
            at,
            "signup_completed",
            {"method": "email", "plan": "free"},
            user_properties={"$set": {"plan": "free"}, "$set_once": {"first_source": source}},
        )
        if dice.random() < 0.8:
            yield self._event(at + timedelta(minutes=4), "email_verified", {"seconds_since_signup": 240})
        yield from self._use(at)

    def _use(self, signed_up: datetime) -> Iterator[Event]:
        dice = self._dice
        core = dice.choices((0.02, 0.12, 0.45), (55, 30, 15))[0]
        pays_after = round(dice.expovariate(1 / 6)) if dice.random() < 0.12 + core / 2 else None
        leaves_after = round(dice.expovariate(1 / (90 + 500 * core))) + 1
        for number in range(366):
            if number > leaves_after:
                return
            day = signed_up.date() + timedelta(days=number)
            chance = core + 0.55 * math.exp(-number / 9)
            if number == 0 or dice.random() < chance * (0.7 if day.weekday() >= 5 else 1):
                at = signed_up if number == 0 else self._moment(day)
                yield from self._visit(at, number)
            if number == pays_after:
                yield from self._subscribe(self._moment(day) + timedelta(hours=1), leaves_after - number)

    def _visit(self, at: datetime, number: int) -> Iterator[Event]:
        dice = self._dice
        if number:
            self._referrer, self._query = ("", "") if dice.random() < 0.7 else (self._referrer, self._query)
            yield self._page(at, "/app", "Projects", entry=True)
            yield self._event(at + timedelta(seconds=1), "login", {"method": "password"})
        yield from map(self._acted, self._actions.of_visit(at))
        for _ in range(dice.randint(1, 3)):
            at += timedelta(seconds=dice.uniform(20, 200))
            path, title, _ = _pick(dice, _APP_PAGES)
            yield self._page(at, path, title, entry=False)
            at += timedelta(seconds=dice.uniform(2, 40))
            feature = dice.choice(_FEATURES)
            yield self._event(at, "feature_used", {"feature_name": feature, "action": "click"})
        for _ in range(dice.choices((0, 1, 2, 4), (30, 35, 22, 13))[0]):
            at += timedelta(seconds=dice.uniform(30, 300))
            kind = {"generation_type": dice.choice(("image", "text"))}
            yield self._event(at, "generation_started", {**kind, "prompt_length": dice.randint(8, 400)})
            took = dice.lognormvariate(8.3, 0.6)
            end = at + timedelta(milliseconds=took)
            outcome = dice.choices(("completed", "failed", "cancelled"), (92, 5, 3))[0]
            yield self._event(end, f"generation_{outcome}", {**kind, "duration_ms": round(took)})
        if dice.random() < 0.04:
            yield self._event(
                at + timedelta(minutes=1), "referral_sent", {"channel": dice.choice(("email", "link"))}
            )
            if dice.random() < 0.25:
                yield self._event(at + timedelta(days=1), "referral_accepted", {})

    def _subscribe(self, at: datetime, days_left: int) -> Iterator[Event]:
        dice = self._dice
        plan, amount, interval, _ = _pick(dice, _PLANS)
        subscription = f"demo-sub-{self._name}"
        terms = {"subscription_id": subscription, "amount": amount, "currency": "USD", "interval": interval}
        yield self._event(at, "payment_initiated", {"amount": amount, "currency": "USD"})
        if dice.random() < 0.06:
            yield self._event(at + timedelta(seconds=20), "payment_failed", {"error": "card_declined"})
            at += timedelta(hours=3)
        yield self._event(
            at + timedelta(seconds=40),
            "subscription_created",
            {**terms, "plan": plan},
            user_properties={"$set": {"plan": plan}},
        )
        every = 365 if interval == "year" else 30
        for number in range(max(1, days_left // every + 1)):
            due = at + timedelta(days=number * every, seconds=45)
            payment = {"payment_id": f"{subscription}-{number}", "amount": amount, "currency": "USD"}
            yield self._event(due, "payment_completed", {**payment, "subscription_id": subscription})
            if number:
                yield self._event(due, "subscription_renewed", terms)
            if dice.random() < 0.012:
                refund = {**payment, "refund_id": f"{subscription}-refund-{number}"}
                yield self._event(due + timedelta(days=2), "payment_refunded", refund)
        ends = at + timedelta(days=(max(0, days_left) // every + 1) * every)
        yield self._event(
            at + timedelta(days=max(1, days_left)),
            "subscription_cancelled",
            {"subscription_id": subscription, "reason": "not_needed", "ends_at": ends.isoformat()},
        )
