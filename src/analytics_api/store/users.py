"""People who log in, and the projects in which they may do something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.project import Role
from analytics_api.errors import Conflict
from analytics_api.store.tables.access import invitations, memberships, projects, user_sessions, users

_FIRST_USER_LOCK = 0x75736572
"""Of all processes that start on an empty database at once, one makes the owner."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who logs in. Never with the password's hash."""

    id: int
    username: str
    owner_everywhere: bool
    """Owner of every project, of those to come as well."""
    created_at: datetime
    password_changed_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None
    second_factor_at: datetime | None
    """Since when a code is asked for besides the password."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What a user may do in a project."""

    project_id: int
    slug: str
    project_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Member:
    """A user of a project."""

    user: User
    role: Role
    since: datetime


_COLUMNS = [users.c[name] for name in User.__slots__]


async def create_user(
    connection: AsyncConnection,
    username: str,
    password_hash: str,
    *,
    owner_everywhere: bool = False,
    now: datetime,
) -> User:
    """Make a user. Raises Conflict when the name is taken."""
    values = {
        "username": username,
        "password_hash": password_hash,
        "owner_everywhere": owner_everywhere,
        "created_at": now,
        "password_changed_at": now,
    }
    try:
        async with connection.begin_nested():
            row = (await connection.execute(insert(users).values(values).returning(*_COLUMNS))).one()
    except IntegrityError:
        raise Conflict(f"username: there is a user {username!r} already; choose another name.") from None
    return User(*row)


async def is_without_users(connection: AsyncConnection) -> bool:
    """Whether nobody can log in yet. Holds other processes that ask off until the transaction ends."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FIRST_USER_LOCK})
    return not (await connection.execute(select(exists(select(users.c.id))))).scalar_one()


async def find_user(connection: AsyncConnection, username: str) -> User | None:
    """A user by name."""
    row = (await connection.execute(select(*_COLUMNS).where(users.c.username == username))).one_or_none()
    return User(*row) if row is not None else None


async def find_password(connection: AsyncConnection, username: str) -> tuple[User, str] | None:
    """A user who may log in, with the hash of the password."""
    row = (
        await connection.execute(
            select(*_COLUMNS, users.c.password_hash).where(
                users.c.username == username, users.c.disabled_at.is_(None)
            )
        )
    ).one_or_none()
    return (User(*row[:-1]), row[-1]) if row is not None else None


async def list_users(connection: AsyncConnection) -> list[User]:
    """All users by name."""
    return [User(*row) for row in await connection.execute(select(*_COLUMNS).order_by(users.c.username))]


async def set_password(connection: AsyncConnection, user_id: int, password_hash: str, now: datetime) -> None:
    """Store the hash of a new password."""
    await connection.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(password_hash=password_hash, password_changed_at=now)
    )


async def replace_hash(connection: AsyncConnection, user_id: int, old: str, new: str) -> None:
    """Store the same password's hash in a newer form, if the password is still that one."""
    await connection.execute(
        update(users).where(users.c.id == user_id, users.c.password_hash == old).values(password_hash=new)
    )


async def note_login(connection: AsyncConnection, user_id: int, password_hash: str, now: datetime) -> bool:
    """Remember when somebody logged in. False when the password is another one by now, or the user locked out."""
    noted = await connection.execute(
        update(users)
        .where(users.c.id == user_id, users.c.password_hash == password_hash, users.c.disabled_at.is_(None))
        .values(last_login_at=now)
        .returning(users.c.id)
    )
    return noted.one_or_none() is not None


async def set_disabled(connection: AsyncConnection, user_id: int, at: datetime | None) -> None:
    """Keep somebody out (their sessions end) or let them in again."""
    await connection.execute(update(users).where(users.c.id == user_id).values(disabled_at=at))
    if at is not None:
        await connection.execute(delete(user_sessions).where(user_sessions.c.user_id == user_id))


async def delete_user(connection: AsyncConnection, user_id: int) -> None:
    """Remove a user with memberships and sessions."""
    await connection.execute(
        update(invitations).where(invitations.c.accepted_by == user_id).values(accepted_by=None)
    )
    for table in (user_sessions, memberships):
        await connection.execute(delete(table).where(table.c.user_id == user_id))
    await connection.execute(delete(users).where(users.c.id == user_id))


async def offer_factor(connection: AsyncConnection, user_id: int, sealed: bytes) -> bool:
    """Store the secret of a second factor that is not confirmed yet. False when one is asked for already."""
    stored = await connection.execute(
        update(users)
        .where(users.c.id == user_id, users.c.second_factor_at.is_(None))
        .values(totp_secret=sealed, totp_step=None)
        .returning(users.c.id)
    )
    return stored.one_or_none() is not None


async def sealed_factor(connection: AsyncConnection, user_id: int) -> bytes | None:
    """The sealed secret of a second factor, confirmed or not."""
    found: bytes | None = await connection.scalar(select(users.c.totp_secret).where(users.c.id == user_id))
    return found


async def use_step(connection: AsyncConnection, user_id: int, step: int) -> bool:
    """Use the code of a time step up. False when that one or a later one was used before."""
    used = await connection.execute(
        update(users)
        .where(users.c.id == user_id, users.c.totp_step.is_(None) | (users.c.totp_step < step))
        .values(totp_step=step)
        .returning(users.c.id)
    )
    return used.one_or_none() is not None


async def confirm_factor(connection: AsyncConnection, user_id: int, now: datetime) -> None:
    """From now on a code is asked for."""
    await connection.execute(update(users).where(users.c.id == user_id).values(second_factor_at=now))


async def remove_factor(connection: AsyncConnection, user_id: int) -> None:
    """The password alone is enough again."""
    await connection.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(totp_secret=None, totp_step=None, second_factor_at=None)
    )


async def memberships_of(connection: AsyncConnection, user: User) -> list[Membership]:
    """The projects of a user, oldest first."""
    query = select(projects.c.id, projects.c.slug, projects.c.name).order_by(projects.c.id)
    if user.owner_everywhere:
        return [Membership(row[0], row[1], row[2], Role.OWNER) for row in await connection.execute(query)]
    rows = await connection.execute(
        query.add_columns(memberships.c.role)
        .join(memberships, memberships.c.project_id == projects.c.id)
        .where(memberships.c.user_id == user.id)
    )
    return [Membership(row[0], row[1], row[2], Role(row[3])) for row in rows]


async def set_role(
    connection: AsyncConnection, user_id: int, project_id: int, role: Role, now: datetime
) -> None:
    """Make a user a member of a project, or change the role."""
    statement = upsert(memberships).values(
        user_id=user_id, project_id=project_id, role=role.value, created_at=now
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id", "project_id"], set_={"role": statement.excluded.role}
        )
    )


async def remove_member(connection: AsyncConnection, user_id: int, project_id: int) -> None:
    """End a membership."""
    await connection.execute(
        delete(memberships).where(memberships.c.user_id == user_id, memberships.c.project_id == project_id)
    )


async def list_members(
    connection: AsyncConnection, project_id: int, *, after: str = "", limit: int | None = None
) -> list[Member]:
    """Who may do something in a project, by name, behind the name `after`; owners of every project are not among them."""
    rows = await connection.execute(
        select(*_COLUMNS, memberships.c.role, memberships.c.created_at.label("since"))
        .join(memberships, memberships.c.user_id == users.c.id)
        .where(memberships.c.project_id == project_id, users.c.username > after)
        .order_by(users.c.username)
        .limit(limit)
    )
    return [Member(User(*row[:-2]), Role(row[-2]), row[-1]) for row in rows]


async def lock_members(connection: AsyncConnection, project_id: int) -> None:
    """Let nobody else change the members of a project until the transaction ends."""
    await connection.execute(select(projects.c.id).where(projects.c.id == project_id).with_for_update())


async def count_owners(connection: AsyncConnection, project_id: int) -> int:
    """How many owners a project has who can log in, those of every project included."""
    own = select(memberships.c.user_id).where(
        memberships.c.project_id == project_id, memberships.c.role == Role.OWNER.value
    )
    query = select(func.count()).where(
        users.c.disabled_at.is_(None), users.c.owner_everywhere | users.c.id.in_(own)
    )
    return (await connection.execute(query)).scalar_one()
