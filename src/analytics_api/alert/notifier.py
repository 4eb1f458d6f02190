"""Sends what waits in the outbox: each channel by itself, oldest first, again with backoff until it is taken.

An entry is sent before it is noted as sent, so a crash in between sends it again, with the same id: twice rather than never.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from analytics_api.alert.administration import open_channel
from analytics_api.alert.channels.port import Channel, Failed, Message, Outlets
from analytics_api.domain.alert import Notice
from analytics_api.domain.backoff import backoff
from analytics_api.domain.clock import Clock
from analytics_api.errors import ConfigurationError, LeaseLost
from analytics_api.store import alert_outbox as outbox
from analytics_api.store.alert_outbox import Claim, Notification
from analytics_api.store.engine import Database
from analytics_api.store.failures import AWAY
from analytics_api.store.secret_box import SecretBox

logger = logging.getLogger(__name__)

CLAIM = timedelta(minutes=2)
"""How long a channel belongs to a process; renewed with every message, and one attempt takes 30 s at most."""
FIRST_WAIT, LONGEST_WAIT = 5.0, 600.0
"""Seconds. People wait for it: sooner and more often than events."""
MOST_REFUSALS = 5
"""Attempts of a message whose content is refused, until it makes room for the next."""
GIVE_UP = timedelta(days=7)
"""A message that could not be sent for so long tells nobody anything any more."""
MOST_CHANNELS = 20
"""Sent over by one process at once."""
STOP_SECONDS = 5.0
"""For messages under way at the end."""


class Notifier:
    """The sending side of one process."""

    def __init__(
        self, database: Database, box: SecretBox, outlets: Outlets, *, muted: bool, clock: Clock
    ) -> None:
        """`muted`: sandbox mode, nothing leaves; messages are logged instead."""
        self._database = database
        self._box = box
        self._outlets = outlets
        self._muted = muted
        self._clock = clock
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start_due(self) -> None:
        """Begin to send over the channels that are due; a channel that hangs keeps neither others nor the caller waiting."""
        room = MOST_CHANNELS - len(self._running)
        if room <= 0 or self._closed:
            return
        async with self._database.acquire() as connection:
            claims = await outbox.claim_channels(connection, self._clock(), CLAIM, room)
        for claim in claims:
            task = asyncio.create_task(self._empty(claim), name=f"alert-channel-{claim.channel.id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def run_once(self) -> None:
        """Send what is due, and wait for it."""
        await self.start_due()
        await asyncio.gather(*self._running)

    async def close(self) -> None:
        """Stop. What is under way has a few seconds; what is cut off is sent again by another process, with the same id."""
        self._closed = True
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _empty(self, claim: Claim) -> None:
        """Send what waits for a channel until nothing does, or an attempt fails."""
        name = claim.channel.body.name
        try:
            while not self._closed and await self._send_next(claim):
                pass
        except LeaseLost as error:
            logger.warning("%s", error)
        except AWAY as error:
            logger.warning("alerts could not be sent over channel %s: %s", name, error)
        except Exception:
            logger.exception("alerts could not be sent over channel %s", name)
        finally:
            await self._release(claim)

    async def _send_next(self, claim: Claim) -> bool:
        """One message, one attempt. Whether the channel may go on."""
        async with self._database.acquire() as connection:
            waiting = await outbox.next_notification(connection, claim, self._clock(), CLAIM)
        if waiting is None:
            return False
        message = Message(waiting.message_id, Notice(waiting.notice), waiting.created_at, waiting.facts)
        if self._muted:
            logger.info("sandbox: %s is not told: %s", claim.channel.body.name, message.title)
            failed, state = None, "skipped"
        else:
            failed, state = await self._attempt(claim, message), "sent"
        async with self._database.acquire() as connection:
            if failed is None:
                await outbox.settle_sent(connection, claim, waiting, self._clock(), state=state)
                return True
            now = self._clock()
            await outbox.settle_failed(
                connection,
                claim,
                waiting,
                failed.words,
                now,
                retry_at=now + timedelta(seconds=_wait(claim, failed)),
                give_up=_is_given_up(waiting, failed, now),
            )
        logger.warning("channel %s did not take an alert: %s", claim.channel.body.name, failed.words)
        return False

    async def _attempt(self, claim: Claim, message: Message) -> Failed | None:
        try:
            channel = open_channel(claim.channel, self._box)
        except ConfigurationError as error:
            return Failed(error.detail)
        return await attempt(channel, message, self._outlets)

    async def _release(self, claim: Claim) -> None:
        try:
            async with self._database.acquire() as connection:
                await outbox.release_channel(connection, claim)
        except AWAY as error:
            logger.warning("alert channel %s could not be given back: %s", claim.channel.id, error)


async def attempt(channel: Channel, message: Message, outlets: Outlets) -> Failed | None:
    """Send once; a mistake in the channel's code is a failure like any."""
    try:
        return await channel.send(message, outlets)
    except Exception as error:
        logger.exception("an alert channel failed")
        return Failed(f"{type(error).__name__}: {error}")


def _wait(claim: Claim, failed: Failed) -> float:
    """Seconds until the next attempt, as the other side asks, but not for ever."""
    if failed.after is not None:
        return min(max(failed.after, 1.0), LONGEST_WAIT)
    return backoff(claim.channel.failures + 1, FIRST_WAIT, LONGEST_WAIT)


def _is_given_up(waiting: Notification, failed: Failed, now: datetime) -> bool:
    return (failed.refused and waiting.attempts >= MOST_REFUSALS) or now - waiting.created_at >= GIVE_UP
