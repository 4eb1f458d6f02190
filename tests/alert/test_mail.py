"""Alerts by e-mail, to a real SMTP server on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from analytics_api.alert import mailer as module
from analytics_api.alert.channels.mail import make
from analytics_api.alert.channels.port import Message
from analytics_api.alert.mailer import Mailer, Security
from analytics_api.domain.alert import Notice
from analytics_api.errors import ConfigurationError
from tests.support.alerting import World

FROM = "alerts@example.org"


@dataclass
class MailServer:
    """A mail server that keeps what it takes. `refused` are recipients that it does not know."""

    port: int = 0
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    answer: str = "250 OK"
    hangs: bool = False

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.hangs:
            await asyncio.sleep(3600)
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        if self.answer.startswith("250"):
            self.taken.append((list(envelope.rcpt_tos), message))
            assert server.transport is not None
            self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return self.answer

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        login = f"{data.login.decode()}:{data.password.decode()}"
        self.logins.append(login)
        return AuthResult(success=login == "me:hush", handled=False)


Start = Callable[..., "asyncio.Future[MailServer]"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def mail_server(
    security: Security, certificate: Path, *, login: bool = False
) -> AsyncIterator[MailServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = MailServer()

    def protocol() -> SMTP:
        return SMTP(
            server,
            hostname="localhost",
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            auth_required=login,
            auth_require_tls=login,
            authenticator=server.authenticate if login else None,
        )

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if security == "tls" else None)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


def mailer(server: MailServer, security: Security, certificate: Path | None, **login: str) -> Mailer:
    trusted = ssl.create_default_context(cafile=certificate)
    return Mailer("localhost", server.port, security, FROM, certificates=trusted, **login)


def message(text: str = "Destination a is paused", rule: str = "Destination paused") -> Message:
    facts = {
        "alert_id": 7,
        "project": "shop",
        "rule_id": 1,
        "rule": rule,
        "kind": "destination_paused",
        "subject": "destination:a",
        "value": None,
        "text": text,
        "started_at": "2026-03-10T12:00:00+00:00",
        "ended_at": None,
    }
    return Message(uuid4(), Notice.FIRING, datetime(2026, 3, 10, 12, 0, tzinfo=UTC), facts)


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
async def test_a_message_arrives(world: World, certificate: Path, security: Security) -> None:
    async with mail_server(security, certificate) as server:
        world.alerts = world.another(mailer(server, security, certificate))
        number = await world.channel("email", to="ada@example.org, bob@example.org")
        assert await world.alerts.test(world.project, number) is None
        await world.rule("destination_paused")
        await world.destination("a")
        await world.pause("a", "HTTP 401: ключ неверен")
        await world.round()
        await world.alerts.send()
        (row,) = await world.outbox()
    assert server.encrypted == [security != "none"] * 2
    recipients, mail = server.taken[1]
    assert recipients == ["ada@example.org", "bob@example.org"]
    assert mail["From"] == FROM
    assert mail["Subject"].startswith("[Analytics API] Firing: destination_paused")
    assert mail["Message-ID"] == f"<{row['message_id']}@example.org>"
    assert "Destination a is paused: HTTP 401: ключ неверен" in mail.get_content()
    assert row["state"] == "sent"


async def test_log_in(certificate: Path) -> None:
    async with mail_server("starttls", certificate, login=True) as server:
        channel = make({"to": "ada@example.org"})
        mail = channel.compose(message(), FROM)
        await mailer(server, "starttls", certificate, username="me", password="hush").send(mail)
        with pytest.raises(module.MailFailed, match="535"):
            await mailer(server, "starttls", certificate, username="me", password="wrong").send(mail)
    assert server.logins[0] == "me:hush"
    assert len(server.taken) == 1


async def test_nothing_goes_out_unencrypted_or_to_a_stranger(certificate: Path) -> None:
    mail = make({"to": "ada@example.org"}).compose(message(), FROM)
    async with mail_server("none", certificate) as server:
        with pytest.raises(module.MailFailed):
            await mailer(server, "starttls", certificate).send(mail)
        assert not server.taken
    both: tuple[Security, Security] = ("starttls", "tls")
    for security in both:
        async with mail_server(security, certificate) as server:
            with pytest.raises(module.MailFailed, match=r"(?i)certificate"):
                await mailer(server, security, None).send(mail)
            assert not server.taken


async def test_refusals_and_a_server_that_hangs(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    mail = make({"to": "ada@example.org, bob@example.org"}).compose(message(), FROM)
    async with mail_server("none", certificate) as server:
        to = mailer(server, "none", None)
        server.refused = {"bob@example.org"}
        assert await to.send(mail) == ["bob@example.org"]
        assert server.taken[0][0] == ["ada@example.org"]
        server.refused.add("ada@example.org")
        with pytest.raises(module.MailFailed, match=r"refuses every recipient.*no such mailbox"):
            await to.send(mail)
        server.refused.clear()
        server.answer = "452 mailbox full"
        with pytest.raises(module.MailFailed, match=r"452.*mailbox full"):
            await to.send(mail)
        monkeypatch.setattr(module, "TOTAL_SECONDS", 0.2)
        server.hangs = True
        with pytest.raises(module.MailFailed, match="did not take it within"):
            await to.send(mail)
    gone = Mailer("localhost", free_port, "none", FROM)
    with pytest.raises(module.MailFailed, match="cannot be used"):
        await gone.send(mail)


def test_no_header_can_be_smuggled_in() -> None:
    mail = make({"to": "ada@example.org"}).compose(message(rule="x\r\nBcc: eve@example.org"), FROM)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[Analytics API] Firing: x Bcc: eve@example.org (project shop)"


@pytest.mark.parametrize(
    "to",
    [
        "",
        " , ",
        "ada",
        "ada@example.org\r\nBcc: eve@example.org",
        "a b@example.org",
        "ä@example.org",
        "a@b," * 60,
    ],
)
def test_what_is_no_address(to: str) -> None:
    with pytest.raises(ConfigurationError, match="to:"):
        make({"to": to})
