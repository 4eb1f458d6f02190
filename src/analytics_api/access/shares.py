"""Looking at a project's figures through a link: opening it, and knowing the browser that has."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import HTTPConnection

from analytics_api.access.cookies import SHARE_COOKIE, session_token
from analytics_api.access.login_limits import AddressLimits
from analytics_api.access.passwords import Passwords
from analytics_api.domain.clock import Clock
from analytics_api.errors import NotFound, TooManyRequests, Unauthorized
from analytics_api.store import login_attempts
from analytics_api.store.audit import Act, record
from analytics_api.store.engine import Database
from analytics_api.store.shares import Share, Viewer, begin_viewing, find_viewer, open_share
from analytics_api.telemetry import request_id

LASTS = timedelta(hours=12)
"""How long a browser that has opened a link may look; then it opens it again."""
GONE = "This link is unknown, revoked or expired: ask for another one."
WRONG_PASSWORD = "password: is wrong."  # noqa: S105
TOO_MANY = "There were too many attempts to open this link; try again in a minute."


class Shares:
    """Opens links and finds who looks through them."""

    def __init__(self, database: Database, passwords: Passwords, clock: Clock) -> None:
        self._database = database
        self._passwords = passwords
        self._clock = clock
        self._addresses = AddressLimits()

    async def find(self, request: HTTPConnection) -> Viewer | None:
        """Who looks, by the cookie of an opened link. Such a viewer writes nothing, so no CSRF token is asked for."""
        token = session_token(request, SHARE_COOKIE)
        if token is None:
            return None
        async with self._database.read() as connection:
            return await find_viewer(connection, token, self._clock())

    async def check(self, token: str, password: str | None, address: str | None) -> Share:
        """The link of a token and the password that it asks for. Raises NotFound, Unauthorized, TooManyRequests."""
        with self._addresses.attempt(address) as attempt:
            async with self._database.read() as connection:
                share = await open_share(connection, token, self._clock())
            if share is None:
                raise gone()
            if share.password_hash is not None:
                await self._check_password(share.id, share.password_hash.decode(), password)
            attempt.succeeded()
        return share

    async def _check_password(self, share_id: int, stored: str, password: str | None) -> None:
        if password is None:
            raise Unauthorized("This link asks for a password: send it as password.")
        name = f"share:{share_id}"
        async with self._database.write() as connection:
            free = await login_attempts.take_attempt(connection, name, self._clock())
        if not free:
            raise TooManyRequests(TOO_MANY, headers={"Retry-After": str(login_attempts.SECONDS_EACH)})
        if not await self._passwords.matches(password, stored):
            raise Unauthorized(WRONG_PASSWORD)
        async with self._database.write() as connection:
            await login_attempts.forget_attempts(connection, name)

    async def begin(self, share: Share) -> str:
        """Let a browser look; the token for its cookie. Put into the audit log."""
        now = self._clock()
        ends_at = min(now + LASTS, share.expires_at or now + LASTS)
        act = Act(
            actor=f"share:{share.id}",
            action="open share link",
            project_id=share.project_id,
            target=str(share.id),
            request_id=request_id.get(),
        )
        async with self._database.write() as connection:
            await record(connection, act, now)
            return await begin_viewing(connection, share.id, now, ends_at)


def gone() -> NotFound:
    """What is said of every link that does not open."""
    return NotFound(GONE)
