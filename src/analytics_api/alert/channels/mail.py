"""Alerts by e-mail: plain text to a list of addresses."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime

from analytics_api.alert.channels.port import Failed, Message, Outlets
from analytics_api.alert.mailer import MailFailed
from analytics_api.errors import ConfigurationError

logger = logging.getLogger(__name__)

MOST_RECIPIENTS = 50
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


class Mail:
    """One message to all recipients. `Message-ID` is made from the notification's id."""

    def __init__(self, recipients: list[str]) -> None:
        self._recipients = recipients

    async def send(self, message: Message, outlets: Outlets) -> Failed | None:
        """One attempt. A recipient that the server refuses while it takes others is not tried again, but logged."""
        if outlets.mailer is None:
            return Failed("no mail server is set: set ANALYTICS__SMTP_HOST and ANALYTICS__SMTP_FROM")
        try:
            refused = await outlets.mailer.send(self.compose(message, outlets.mailer.sender))
        except MailFailed as error:
            return Failed(str(error))
        if refused:
            logger.warning("the mail server refuses %s for alerts", ", ".join(refused))
        return None

    def compose(self, message: Message, sender: str) -> EmailMessage:
        """The message as it goes out."""
        mail = EmailMessage()
        mail["Subject"] = " ".join(f"[Analytics API] {message.title}".split())
        mail["From"] = sender
        mail["To"] = ", ".join(self._recipients)
        mail["Date"] = format_datetime(message.at)
        mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
        # Nobody's holiday should answer.
        mail["Auto-Submitted"] = "auto-generated"
        facts = message.facts
        lines = [facts["text"], ""]
        lines += [f"{name}: {facts[name]}" for name in ("subject", "started_at", "ended_at") if facts[name]]
        lines += [f"alert: {facts['alert_id']}", f"notification: {message.id}"]
        mail.set_content("\n".join(lines) + "\n")
        return mail


def make(options: Mapping[str, str]) -> Mail:
    """From `to`: addresses, comma between."""
    recipients = [address for part in options.get("to", "").split(",") if (address := part.strip())]
    if not 1 <= len(recipients) <= MOST_RECIPIENTS:
        raise ConfigurationError(f"to: name 1 to {MOST_RECIPIENTS} addresses, comma between.")
    for address in recipients:
        if not _ADDRESS.fullmatch(address):
            raise ConfigurationError(f"to: {address!r} is no e-mail address.")
    return Mail(recipients)
