"""The second factor of logins: a code from an authenticator app. Secrets are stored sealed, and each code works once."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

from sqlalchemy.ext.asyncio import AsyncConnection

from analytics_api.domain.totp import step_of
from analytics_api.errors import (
    ConfigurationError,
    Conflict,
    Forbidden,
    NotFound,
    Unauthorized,
    Unprocessable,
)
from analytics_api.store import users
from analytics_api.store.secret_box import SecretBox
from analytics_api.store.users import User

ISSUER = "Analytics API"
_SECRET_BYTES = 20
"""As long as the hash (RFC 4226, 4: 160 bits)."""
WRONG_CODE = "The code is wrong or was used before; wait for the next one."


def otpauth_uri(secret: str, username: str) -> str:
    """The address that authenticator apps read from QR codes (Key URI format)."""
    label = quote(f"{ISSUER}:{username}", safe="")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': ISSUER}, quote_via=quote)}"


class SecondFactors:
    """Makes, confirms and asks for second factors. `box`: seals their secrets; without one nobody can have one."""

    def __init__(self, box: SecretBox | None) -> None:
        self._box = box

    async def offer(self, connection: AsyncConnection, user: User) -> str:
        """A new secret in base32. Raises Conflict when the user has a second factor, Unprocessable without SECRET_KEY."""
        if self._box is None:
            raise Unprocessable("Second factors need ANALYTICS__SECRET_KEY.")
        secret = base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        try:
            sealed = self._box.seal({"totp": secret}, _place(user))
        except ConfigurationError as error:
            raise Unprocessable(f"Second factors are kept encrypted; {error.detail}") from error
        if not await users.offer_factor(connection, user.id, sealed):
            raise Conflict("There is a second factor already: remove it first.")
        return secret

    async def confirm(self, connection: AsyncConnection, user: User, code: str, now: datetime) -> None:
        """From now on a code is asked for. Raises NotFound without an offer and Forbidden for a wrong code."""
        if user.second_factor_at is not None:
            raise Conflict("There is a second factor already: remove it first.")
        if not await self._is_right(connection, user, code, now):
            raise Forbidden("code: is wrong; look whether the clock of your device is right.")
        await users.confirm_factor(connection, user.id, now)

    async def check(self, connection: AsyncConnection, user: User, code: str | None, now: datetime) -> None:
        """Ask for the code of a user who has a second factor. Raises Unauthorized."""
        if user.second_factor_at is None:
            return
        if code is None:
            raise Unauthorized(
                "A code of your authenticator app is needed: send it as code.", second_factor=True
            )
        if not await self._is_right(connection, user, code, now):
            raise Unauthorized(WRONG_CODE, second_factor=True)

    async def _is_right(self, connection: AsyncConnection, user: User, code: str, now: datetime) -> bool:
        sealed = await users.sealed_factor(connection, user.id)
        if sealed is None or self._box is None:
            raise NotFound("No second factor has been offered: POST /auth/second-factor.")
        secret = base64.b32decode(self._box.open(sealed, _place(user))["totp"])
        step = step_of(secret, code.replace(" ", ""), now.timestamp())
        return step is not None and await users.use_step(connection, user.id, step)


def _place(user: User) -> str:
    return f"second factor of user {user.id}"
