"""Logging in and out: passwords, sessions, and how often somebody may try."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import HTTPConnection

from analytics_api.access.cookies import check_csrf, session_token
from analytics_api.access.login_limits import AddressLimits
from analytics_api.access.passwords import Passwords, checked_password, is_outdated
from analytics_api.access.second_factors import SecondFactors
from analytics_api.domain.clock import Clock, system_clock
from analytics_api.errors import Forbidden, TooManyRequests, Unauthorized, Unprocessable
from analytics_api.store import login_attempts, user_sessions, users
from analytics_api.store.audit import Act, record
from analytics_api.store.engine import Database
from analytics_api.store.secret_box import SecretBox
from analytics_api.store.user_sessions import Session
from analytics_api.store.users import Membership, User
from analytics_api.telemetry import request_id

IDLE = timedelta(hours=72)
LASTS = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was last used."""

_USERNAME = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,254}")
WRONG = "The user name or the password is wrong."


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who has logged in, for the time of one request."""

    user: User
    session: Session
    token: str
    memberships: list[Membership]


def normal_username(username: str) -> str:
    """The one form of a user name: such as `ada@example.com`, without regard to case. Raises Unprocessable."""
    name = unicodedata.normalize("NFKC", username).casefold().strip()
    if not _USERNAME.fullmatch(name):
        raise Unprocessable("username: use 1 to 254 characters without spaces, such as an e-mail address.")
    return name


def too_many_attempts() -> TooManyRequests:
    """What somebody hears who has guessed too often."""
    return TooManyRequests(
        "There were too many attempts to log in under this name; try again in a minute.",
        headers={"Retry-After": str(login_attempts.SECONDS_EACH)},
    )


class Logins:
    """Opens, finds and ends sessions. `idle`: how long one lives unused; `lasts`: how long at most."""

    def __init__(
        self,
        database: Database,
        *,
        idle: timedelta = IDLE,
        lasts: timedelta = LASTS,
        box: SecretBox | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.database = database
        self.passwords = Passwords()
        self.clock = clock
        self.idle = idle
        self.lasts = lasts
        self._addresses = AddressLimits()
        self._factors = SecondFactors(box)

    async def log_in(
        self, username: str, password: str, address: str | None, code: str | None = None
    ) -> Login:
        """Begin a session. Raises Unauthorized (the same way for a name that is not there) and TooManyRequests.

        `code`: of the second factor, for those who have one.
        """
        try:
            name = normal_username(username)
        except Unprocessable:
            name = ""
        with self._addresses.attempt(address) as attempt:
            user, stored = await self._checked(name, password, code)
            attempt.succeeded()
        async with self.database.write() as connection:
            now = self.clock()
            if not await users.note_login(connection, user.id, stored, now):
                # The password was changed, or the user locked out, since it was compared.
                raise Unauthorized(WRONG)
            await user_sessions.forget_dead_sessions(connection, now, self.idle)
            await self.note(connection, user, "log in")
            return await self.open(connection, user)

    async def _checked(self, name: str, password: str, code: str | None) -> tuple[User, str]:
        """The user of a name, a password and a code if one is needed, with the stored hash."""
        async with self.database.write() as connection:
            free = await login_attempts.take_attempt(connection, name, self.clock())
            found = await users.find_password(connection, name) if free else None
        if not free:
            raise too_many_attempts()
        stored = found[1] if found is not None else None
        if not await self.passwords.matches(password, stored) or found is None or stored is None:
            raise Unauthorized(WRONG)
        renewed = await self.passwords.hashed(password) if is_outdated(stored) else stored
        async with self.database.write() as connection:
            await self._factors.check(connection, found[0], code, self.clock())
            await login_attempts.forget_attempts(connection, name)
            if renewed != stored:
                await users.replace_hash(connection, found[0].id, stored, renewed)
        return found[0], renewed

    async def open(self, connection: AsyncConnection, user: User) -> Login:
        """Begin a session of somebody whose password was right."""
        token, session = await user_sessions.open_session(connection, user.id, self.clock(), self.lasts)
        return Login(user, session, token, await users.memberships_of(connection, user))

    async def note(
        self, connection: AsyncConnection, user: User, action: str, project_id: int | None = None
    ) -> None:
        """Put what somebody did with the own account into the audit log."""
        act = Act(actor=f"user:{user.id}", action=action, project_id=project_id, request_id=request_id.get())
        await record(connection, act, self.clock())

    async def find(self, request: HTTPConnection) -> Login | None:
        """The login of a request, from its cookie. Raises Forbidden for a write without its CSRF token."""
        token = session_token(request)
        if token is None:
            return None
        now = self.clock()
        async with self.database.read() as connection:
            found = await user_sessions.find_session(connection, token, now, self.idle)
            if found is None:
                return None
            session, user = found
            login = Login(user, session, token, await users.memberships_of(connection, user))
        check_csrf(request, token)
        if now - session.seen_at >= SEEN_EVERY:
            async with self.database.write() as connection:
                await user_sessions.note_seen(connection, session.id, now)
        return login

    async def _confirm(self, login: Login, password: str, code: str | None) -> None:
        """Make sure that it is the user who asks. Raises Forbidden, TooManyRequests."""
        try:
            await self._checked(login.user.username, password, code)
        except Unauthorized as error:
            raise Forbidden(
                error.detail if "code" in error.detail else "current_password: is wrong."
            ) from None

    async def offer_factor(self, login: Login, password: str) -> str:
        """The secret of a second factor, to be put into an app and confirmed. Raises Forbidden, Conflict."""
        await self._confirm(login, password, None)
        async with self.database.write() as connection:
            return await self._factors.offer(connection, login.user)

    async def confirm_factor(self, login: Login, code: str) -> None:
        """From now on a code is asked for at login; all other sessions end. Raises Forbidden, TooManyRequests."""
        async with self.database.write() as connection:
            free = await login_attempts.take_attempt(connection, login.user.username, self.clock())
        if not free:
            raise too_many_attempts()
        async with self.database.write() as connection:
            now = self.clock()
            await self._factors.confirm(connection, login.user, code, now)
            await user_sessions.end_sessions(connection, login.user.id, keep=login.session.id)
            await login_attempts.forget_attempts(connection, login.user.username)
            await self.note(connection, login.user, "set up the second factor")

    async def remove_factor(self, login: Login, password: str, code: str | None) -> None:
        """The password alone is enough again. Raises Forbidden, TooManyRequests."""
        await self._confirm(login, password, code)
        async with self.database.write() as connection:
            await users.remove_factor(connection, login.user.id)
            await self.note(connection, login.user, "remove the second factor")

    async def change_password(self, login: Login, current: str, new: str, code: str | None = None) -> Login:
        """Set a new password, end all sessions and begin a new one. Raises Forbidden, Unprocessable, TooManyRequests."""
        name = login.user.username
        checked_password(new, name, "new_password")
        await self._confirm(login, current, code)
        hashed = await self.passwords.hashed(new)
        async with self.database.write() as connection:
            await users.set_password(connection, login.user.id, hashed, self.clock())
            await user_sessions.end_sessions(connection, login.user.id)
            await self.note(connection, login.user, "change the password")
            return await self.open(connection, login.user)
