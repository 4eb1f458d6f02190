"""The report of a finished job: what was removed, what stays and why, signed so that it can be shown to others."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from analytics_api.domain.project import Project
from analytics_api.privacy.subject import Subject
from analytics_api.store.privacy_jobs import PrivacyJob
from analytics_api.store.provider_deletions import ProviderDeletion
from analytics_api.store.secret_box import SecretBox

SEALED = "Figures of these days stay as they are: retention had removed events of them, and figures hold nothing of persons."


def signed_report(
    job: PrivacyJob,
    project: Project,
    subject: Subject,
    deletions: Sequence[ProviderDeletion],
    now: datetime,
    box: SecretBox,
) -> dict[str, Any]:
    """The report with an Ed25519 signature (RFC 8032) over its JSON: keys sorted, no spaces, UTF-8."""
    progress = job.progress
    body = {
        "job": job.id,
        "kind": job.kind.value,
        "project": project.slug,
        "about": _about(subject),
        "requested_by": job.requested_by,
        "requested_at": job.created_at.isoformat(),
        "finished_at": now.isoformat(),
        "events": progress.get("events", 0),
        "rows": progress.get("rows", {}),
        "days_recounted": progress.get("days", []),
        "sealed_days": progress.get("sealed_days", []),
        "sealed_days_note": SEALED,
        "kept_out": subject.is_person and subject.keep_out and job.kind == "erase",
        "destinations": [
            {
                "destination": one.destination,
                "state": one.state.value,
                "job_ids": list(one.tracking),
                "words": one.words,
                "requested_at": one.requested_at and one.requested_at.isoformat(),
                "ended_at": one.ended_at and one.ended_at.isoformat(),
            }
            for one in deletions
        ],
    }
    key = box.signing_key()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        "report": body,
        "algorithm": "Ed25519",
        "signature": base64.b64encode(key.sign(canonical(body))).decode(),
        "public_key": base64.b64encode(public).decode(),
    }


def canonical(body: dict[str, Any]) -> bytes:
    """The bytes that are signed."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _about(subject: Subject) -> dict[str, Any]:
    """Enough for who knows the id to see that it is the right report, and nothing for anybody else to read."""
    if subject.choice is not None:
        return {"events": json.loads(subject.choice.to_json())}
    given = subject.user_id if subject.user_id is not None else subject.anonymous_id or ""
    field = "user_id" if subject.user_id is not None else "anonymous_id"
    return {"person": {f"{field}_sha256": hashlib.sha256(given.encode()).hexdigest()}}
