"""Visitor ids without cookies: made of address and user agent with a salt, and only where a project has switched them on."""

from __future__ import annotations

import hashlib

from analytics_api.ingest.draft import Draft, Reception

PREFIX = "v:"
"""By which such an id is told from those that clients send."""


def put_visitor_id(draft: Draft, reception: Reception) -> None:
    """An anonymous id for an event of a page that came without any id.

    BLAKE2b (RFC 7693) keyed with the project's salt over address and user agent: without the salt, which is destroyed at the
    end of the day, the 2^32 addresses cannot be tried.
    """
    salt = reception.visitor_salt
    if salt is None or reception.trusted or reception.ip is None:
        return
    if draft.user_id is None and draft.anonymous_id is None:
        seen = f"{reception.project.id}\n{reception.ip}\n{reception.user_agent or ''}"
        digest = hashlib.blake2b(seen.encode("utf-8", "surrogatepass"), digest_size=16, key=salt)
        draft.anonymous_id = PREFIX + digest.hexdigest()
