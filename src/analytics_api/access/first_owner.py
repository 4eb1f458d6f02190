"""The owner that the first start makes, so that somebody can log in."""

from __future__ import annotations

from datetime import datetime

from analytics_api.access.passwords import checked_password, generated_password, hash_password
from analytics_api.errors import ConfigurationError, Unprocessable
from analytics_api.store.engine import Database
from analytics_api.store.users import create_user, is_without_users

FIRST_OWNER = "admin"


async def make_first_owner(database: Database, password: str | None, now: datetime) -> str | None:
    """Make the owner of every project when there is no user. The password, if it had to be made up.

    `password`: that of ANALYTICS__ADMIN_PASSWORD. Raises ConfigurationError when it is too easy to guess. Of several processes at
    once, one makes the owner.
    """
    async with database.write() as connection:
        if not await is_without_users(connection):
            return None
        try:
            chosen = checked_password(password, FIRST_OWNER) if password is not None else generated_password()
        except Unprocessable as error:
            raise ConfigurationError(f"ANALYTICS__ADMIN_PASSWORD: {error.detail}") from None
        await create_user(connection, FIRST_OWNER, hash_password(chosen), owner_everywhere=True, now=now)
    return chosen if password is None else None
