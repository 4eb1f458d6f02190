"""Who is who: the rollup of what `$identify`, `$alias` and `$unalias` say, and the mapping that follows from it.

`person_links` holds what was said about each pair of ids, as extremes of time; `person_merges` the persons who count
as another one. Events stay as sent; rollups are kept under the canonical person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import orjson

from analytics_api.domain.event import SYSTEM_TYPES
from analytics_api.domain.merging import Link, combined, heads, home, links_of
from analytics_api.domain.project import Project

_NOTE = """
    WITH said AS (
        SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::bool[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
                             $8::timestamptz[])
            AS s (person_id, other_id, known, claimed_at, trusted_at, joined_at, undone_at)
    )
    INSERT INTO {table} AS held
        (person_id, other_id, project_id, known, claimed_at, trusted_at, joined_at, undone_at)
    SELECT person_id, other_id, $1, said.known, said.claimed_at, said.trusted_at, said.joined_at, said.undone_at
    FROM said LEFT JOIN {table} old USING (person_id, other_id)
    -- Most of it has been said before; then nothing is written.
    WHERE old.person_id IS NULL
       OR (least(old.claimed_at, said.claimed_at), least(old.trusted_at, said.trusted_at),
           greatest(old.joined_at, said.joined_at), greatest(old.undone_at, said.undone_at))
          IS DISTINCT FROM (old.claimed_at, old.trusted_at, old.joined_at, old.undone_at)
    ORDER BY person_id, other_id
    ON CONFLICT (person_id, other_id) DO UPDATE SET
        claimed_at = least(held.claimed_at, excluded.claimed_at),
        trusted_at = least(held.trusted_at, excluded.trusted_at),
        joined_at = greatest(held.joined_at, excluded.joined_at),
        undone_at = greatest(held.undone_at, excluded.undone_at)
    RETURNING person_id, other_id, known
"""

_LINK = "person_id, other_id, known, claimed_at, trusted_at, joined_at, undone_at"
Pair = tuple[UUID, UUID, bool]
"""Who joins, whom, and whether both are known persons."""


async def note_links(connection: asyncpg.Connection, project: Project) -> list[Pair]:
    """Keep what the events of the chunk say about ids, in the caller's transaction. Returns what is news."""
    rows = await connection.fetch(
        """
        SELECT event_type, user_id, anonymous_id, event_data, trusted, occurred_at FROM chunk
        WHERE event_type = ANY ($1) AND has_person
        """,
        list(SYSTEM_TYPES),
    )
    return await keep_links(connection, project, said_in(project, rows))


async def keep_links(
    connection: asyncpg.Connection, project: Project, links: Sequence[Link], table: str = "person_links"
) -> list[Pair]:
    """Add links to those that are held. Returns the pairs of which more is known now than before."""
    if not links:
        return []
    columns = ([getattr(link, name) for link in links] for name in _LINK.split(", "))
    news = await connection.fetch(_NOTE.format(table=table), project.id, *columns)
    return [tuple(row) for row in news]


def said_in(project: Project, rows: Iterable[asyncpg.Record]) -> list[Link]:
    """What events say about ids, one link for each pair."""
    said: dict[Pair, Link] = {}
    for row in rows:
        for link in links_of(
            project.namespace,
            row["event_type"],
            row["user_id"],
            row["anonymous_id"],
            {} if row["event_data"] is None else orjson.loads(row["event_data"]),
            trusted=row["trusted"],
            occurred_at=row["occurred_at"],
        ):
            pair = link.person_id, link.other_id, link.known
            said[pair] = combined(said[pair], link) if pair in said else link
    return list(said.values())


@dataclass(slots=True)
class Regrouping:
    """How persons change: whose rollups move as a whole, and which must be counted again because a person is divided."""

    moves: dict[UUID, UUID] = field(default_factory=dict)
    """Canonical persons, each with the one that all of it now belongs to."""
    joining: set[UUID] = field(default_factory=set)
    """All members of those, as events were sent for them."""
    divided: dict[UUID, UUID] = field(default_factory=dict)
    """Canonical persons whose rows are out of date, each with who inherits what cannot be counted again."""
    counted: set[UUID] = field(default_factory=set)
    """Canonical persons who are to be counted again, under the new mapping."""


async def regroup(connection: asyncpg.Connection, project: Project, news: Collection[Pair]) -> Regrouping:
    """Bring the mapping up to date with changed links, in the caller's transaction; rollups are the caller's to move."""
    people = _People(connection)
    await people.decide(news)
    changed = {
        person: (people.old.get(person, person), new)
        for person, new in people.new.items()
        if people.old.get(person, person) != new
    }
    if not changed:
        return Regrouping()
    olds = {old for old, _ in changed.values()}
    members = await _members(connection, olds)
    await _write(connection, project, {person: new for person, (_, new) in changed.items()})
    return _regrouping(people.old, {person: new for person, (_, new) in changed.items()}, members)


def _regrouping(
    old: Mapping[UUID, UUID], new: Mapping[UUID, UUID], members: Mapping[UUID, set[UUID]]
) -> Regrouping:
    """`old` and `new` canonical persons of those that change, and the old members of each canonical one."""
    found = Regrouping()
    targets = {
        canonical: {new.get(member, canonical) for member in group} for canonical, group in members.items()
    }
    for canonical, into in targets.items():
        whole = next(iter(into)) if len(into) == 1 else None
        # Somebody who was a mere member has no rows of their own to be added to.
        if whole is not None and old.get(whole, whole) == whole:
            found.moves[canonical] = whole
        else:
            found.counted |= into
    for canonical, into in targets.items():
        if into & found.counted:
            found.moves.pop(canonical, None)
            found.divided[canonical] = new.get(canonical, canonical)
    for canonical in found.counted:
        if canonical not in found.divided and old.get(canonical, canonical) == canonical:
            found.divided[canonical] = canonical
    for canonical in found.moves:
        found.joining |= members[canonical]
    return found


class _People:
    """Old and new canonical persons of everybody whom changed links can concern."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.old: dict[UUID, UUID] = {}
        """Those that count as another one. Complete for everybody in `new`."""
        self.new: dict[UUID, UUID] = {}

    async def decide(self, news: Collection[Pair]) -> None:
        users = {id_ for person, other, known in news if known for id_ in (person, other)}
        devices = {person for person, _, known in news if not known}
        if users:
            # Whom no link names any more stands alone.
            standing = {user: user for user in users} | heads(await self._around(users))
            self.new.update(standing)
            await self._look_up(standing)
            groups = {self.old.get(user, user) for user in standing}
            attached = await _members(self._connection, groups)
            devices |= {member for group in attached.values() for member in group} - standing.keys()
            for canonical, group in attached.items():
                self.old.update(dict.fromkeys(group - {canonical}, canonical))
        homes = await self._homes(devices)
        await self._look_up({*devices, *homes.values()} - self.new.keys())
        for device in devices:
            user = homes.get(device)
            self.new[device] = device if user is None else self.new.get(user) or self.old.get(user, user)

    async def _around(self, users: set[UUID]) -> list[Link]:
        """All links between known persons that lead to one of them, by however many steps."""
        links: dict[tuple[UUID, UUID], Link] = {}
        seen: set[UUID] = set()
        waiting = users
        while waiting:
            rows = await self._connection.fetch(
                f"""
                SELECT {_LINK} FROM person_links WHERE known AND person_id = ANY ($1::uuid[])
                UNION
                SELECT {_LINK} FROM person_links WHERE known AND other_id = ANY ($1::uuid[])
                """,
                list(waiting),
            )
            seen |= waiting
            links |= {(row["person_id"], row["other_id"]): Link(*row) for row in rows}
            waiting = {id_ for pair in links for id_ in pair} - seen
        return list(links.values())

    async def _homes(self, devices: Collection[UUID]) -> dict[UUID, UUID]:
        rows = await self._connection.fetch(
            f"SELECT {_LINK} FROM person_links WHERE NOT known AND person_id = ANY ($1::uuid[])",
            list(devices),
        )
        links: dict[UUID, list[Link]] = defaultdict(list)
        for row in rows:
            links[row["person_id"]].append(Link(*row))
        found = {device: home(group) for device, group in links.items()}
        return {device: user for device, user in found.items() if user is not None}

    async def _look_up(self, persons: Iterable[UUID]) -> None:
        rows = await self._connection.fetch(
            "SELECT person_id, canonical_id FROM person_merges WHERE person_id = ANY ($1::uuid[])",
            list(persons),
        )
        self.old |= {row["person_id"]: row["canonical_id"] for row in rows}


async def _members(connection: asyncpg.Connection, canonicals: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Everybody who counts as one of the canonical persons, themselves included."""
    found = {canonical: {canonical} for canonical in canonicals}
    rows = await connection.fetch(
        "SELECT person_id, canonical_id FROM person_merges WHERE canonical_id = ANY ($1::uuid[])",
        list(canonicals),
    )
    for row in rows:
        found[row["canonical_id"]].add(row["person_id"])
    return found


async def sent_ids(connection: asyncpg.Connection, canonicals: Collection[UUID]) -> dict[UUID, UUID]:
    """The persons, as events were sent for them, who count as one of these; each with that canonical person."""
    groups = await _members(connection, canonicals)
    return {member: canonical for canonical, group in groups.items() for member in group}


async def _write(connection: asyncpg.Connection, project: Project, new: Mapping[UUID, UUID]) -> None:
    apart = [person for person, canonical in new.items() if person == canonical]
    merged = {person: canonical for person, canonical in new.items() if person != canonical}
    if apart:
        await connection.execute("DELETE FROM person_merges WHERE person_id = ANY ($1::uuid[])", apart)
    await connection.execute(
        """
        INSERT INTO person_merges (person_id, canonical_id, project_id)
        SELECT person_id, canonical_id, $1 FROM unnest($2::uuid[], $3::uuid[]) AS m (person_id, canonical_id)
        ORDER BY person_id
        ON CONFLICT (person_id) DO UPDATE SET canonical_id = excluded.canonical_id
        """,
        project.id,
        list(merged),
        list(merged.values()),
    )
