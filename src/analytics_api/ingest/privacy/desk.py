"""The privacy policies of all projects in memory, and what is kept out counted: one desk for each process that takes events."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics_api.domain.clock import Clock, system_clock
from analytics_api.domain.period import local_day
from analytics_api.domain.privacy import REFUSED, PrivacyPolicy, Refusal, VisitorIds
from analytics_api.domain.project import Project
from analytics_api.errors import Unavailable
from analytics_api.ingest.privacy.filter import DEFAULT_FILTER, PersonalDataFilter, Removal
from analytics_api.store.consent import Statement, keep_consent
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY, BAD_DATA, TRY_AGAIN
from analytics_api.store.privacy_counts import CountKey, add_counts
from analytics_api.store.privacy_policies import StoredPolicy, find_policy, policy_versions
from analytics_api.store.ticker import Ticker
from analytics_api.store.visitor_salts import find_salt

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 2.0
"""How long other processes may go on with the policy before a change."""
FLUSH_SECONDS = 3.0
WRITE_SECONDS = 5.0
"""A database that takes longer is as good as away; a stopping process waits no longer for it."""
MOST_KEYS = 2_000
"""Different counts between two writes; more are counted without their subject."""
MOST_CONSENTS = 50_000
"""Persons whose consent is remembered; 10 MB."""
REMEMBERED = timedelta(seconds=REFRESH_SECONDS)
"""How long it is: other processes may hear of another one meanwhile."""
LONGEST = 200
"""Characters of a subject."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A project's policy, ready for use."""

    stored: StoredPolicy = field(default_factory=StoredPolicy)
    filter: PersonalDataFilter = DEFAULT_FILTER

    @property
    def policy(self) -> PrivacyPolicy:
        """What was decided."""
        return self.stored.policy


_NONE = Rules()


class PrivacyDesk:
    """Keeps the policies of all projects fresh, finds the salts of visitor ids and counts what is kept out."""

    def __init__(self, database: Database, *, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock
        self._rules: dict[int, Rules] = {}
        self._salts: dict[int, tuple[date, bytes]] = {}
        self._days: dict[int, tuple[datetime, date]] = {}
        self._counts: Counter[CountKey] = Counter()
        self._stated: list[Statement] = []
        self._keeping = asyncio.Lock()
        self._consents: dict[UUID, tuple[str, datetime]] = {}
        """What was said lately of persons, and until when that is believed to be what was said last."""
        self._refreshing = Ticker("privacy-policies", REFRESH_SECONDS, self.refresh)
        self._flushing = Ticker("privacy-counts", FLUSH_SECONDS, self.flush)

    async def start(self) -> None:
        """Read all policies, then keep looking for changes and writing counts."""
        await self.refresh()
        self._refreshing.start()
        self._flushing.start()

    async def stop(self) -> None:
        """Write what is counted, then stop."""
        await self._refreshing.stop()
        await self._flushing.stop(once_more=True)

    def of(self, project_id: int) -> Rules:
        """The policy of a project."""
        return self._rules.get(project_id, _NONE)

    async def refresh(self) -> None:
        """Read the policies that have changed."""
        async with self._database.acquire() as connection:
            for project_id, version in (await policy_versions(connection)).items():
                if self.of(project_id).stored.version < version:
                    stored = await find_policy(connection, project_id)
                    # Another refresh of this process may have been faster.
                    if self.of(project_id).stored.version < stored.version:
                        made = PersonalDataFilter(stored.policy, stored.hash_key)
                        self._rules[project_id] = Rules(stored, made)

    async def salt(self, project: Project, now: datetime) -> bytes | None:
        """The salt of visitor ids; None where none are made."""
        try:
            return self.known_salt(project, now)
        except LookupError:
            day = local_day(now, project.zone)
            async with self._database.acquire() as connection:
                salt = await find_salt(connection, project.id, day)
            # The one of the day before is forgotten.
            self._salts[project.id] = day, salt
            return salt

    def known_salt(self, project: Project, now: datetime) -> bytes | None:
        """As `salt`, from memory. Raises LookupError when it is not there."""
        rules = self.of(project.id)
        kind = rules.policy.visitor_ids
        if kind is VisitorIds.OFF:
            return None
        if kind is VisitorIds.LIFETIME:
            return rules.stored.hash_key
        day, salt = self._salts[project.id]
        if day != local_day(now, project.zone):
            raise LookupError
        return salt

    def note_removed(self, project: Project, removed: Iterable[Removal]) -> None:
        """Count what was taken out of an event."""
        day = self._day(project.id, project.zone)
        for rule, path, mode in removed:
            self._add(CountKey(project.id, day, rule, path[:LONGEST].replace("\0", ""), mode))

    def note_refused(
        self, project: Project, refusal: Refusal, event_type: str, action: str = REFUSED
    ) -> None:
        """Count an event that was not stored."""
        day = self._day(project.id, project.zone)
        self._add(CountKey(project.id, day, refusal, event_type[:LONGEST].replace("\0", ""), action))

    def _day(self, project_id: int, zone: ZoneInfo) -> date:
        """The project's day; asked of the zone once a second, as that costs as much as all the rest."""
        now = self._clock()
        held = self._days.get(project_id)
        if held is None or not 0 <= (now - held[0]).total_seconds() < 1:
            held = self._days[project_id] = now, local_day(now, zone)
        return held[1]

    def _add(self, key: CountKey) -> None:
        if key not in self._counts and len(self._counts) >= MOST_KEYS:
            key = key._replace(subject="")
        self._counts[key] += 1

    def note_consent(self, project: Project, consent: str, person: UUID, at: datetime) -> None:
        """Note what an event says of its person's consent, unless that was said a moment ago."""
        now = self._clock()
        said, until = self._consents.get(person, (None, now))
        if said == consent and now < until:
            return
        if len(self._consents) >= MOST_CONSENTS:
            self._consents.clear()
        self._consents[person] = consent, now + REMEMBERED
        self._stated.append(Statement(person, at, project.id, consent, "event", now))

    def forget_consent(self, person: UUID) -> None:
        """Something else may have been said of a person than this desk knows."""
        self._consents.pop(person, None)

    @property
    def owes_consent(self) -> bool:
        """Whether something that was noted is not stored yet."""
        return bool(self._stated) or self._keeping.locked()

    async def keep_consent(self) -> None:
        """Store what was noted, before its senders are answered. Raises Unavailable."""
        if not self.owes_consent:
            return
        # Another request may be storing what this one has noted.
        async with self._keeping:
            stated, self._stated = self._stated, []
            if not stated:
                return
            try:
                async with asyncio.timeout(WRITE_SECONDS), self._database.acquire() as connection:
                    await keep_consent(connection, stated)
            except (TimeoutError, *AWAY, *TRY_AGAIN) as error:
                # Whoever waits for this, too, must not be told that it is stored.
                self._stated = [*stated, *self._stated][:MOST_KEYS]
                self._consents.clear()
                raise Unavailable("The database is away; send the same request again.") from error
            except BaseException:
                self._consents.clear()
                raise

    async def flush(self) -> None:
        """Write what is counted. When the database is away it is kept for the next time."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            async with asyncio.timeout(WRITE_SECONDS), self._database.acquire() as connection:
                await add_counts(connection, counts)
        except BAD_DATA:
            # They would be refused again, for ever, and nothing behind them would be written.
            logger.exception("%s privacy counts could not be stored", len(counts))
        except BaseException:
            self._counts += counts
            raise
