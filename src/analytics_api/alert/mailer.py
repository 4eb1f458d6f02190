"""The operator's mail server: one message over SMTP, and what became of it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal

import aiosmtplib

TOTAL_SECONDS = 30.0
"""For the whole exchange, however slowly the server answers."""

Security = Literal["starttls", "tls", "none"]


class MailFailed(Exception):
    """The server did not take a message; the text has its words."""


@dataclass(frozen=True, slots=True)
class Mailer:
    """Sends over one server. With `starttls` a server that does not offer it gets nothing."""

    host: str
    port: int
    security: Security
    sender: str
    """Address that messages come from."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    certificates: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    async def send(self, message: EmailMessage) -> list[str]:
        """Hand a message over. Returns addresses that the server refused while it took others. Raises MailFailed."""
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                refused, _ = await aiosmtplib.send(
                    message,
                    sender=self.sender,
                    hostname=self.host,
                    port=self.port,
                    # Without it the library asks DNS for this machine's full name, and waits for the answer.
                    local_hostname=socket.gethostname(),
                    username=self.username,
                    password=self.password,
                    use_tls=self.security == "tls",
                    start_tls=self.security == "starttls",
                    tls_context=None if self.security == "none" else self.certificates,
                    timeout=TOTAL_SECONDS,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            words = "; ".join(f"{each.recipient}: {each.code} {each.message}" for each in error.recipients)
            raise MailFailed(f"the mail server refuses every recipient: {words}") from error
        except aiosmtplib.SMTPResponseException as error:
            raise MailFailed(f"the mail server answered {error.code}: {error.message}") from error
        except TimeoutError as error:
            raise MailFailed(f"the mail server did not take it within {TOTAL_SECONDS:.0f} s") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailFailed(f"the mail server cannot be used ({type(error).__name__}: {error})") from error
        return list(refused)
