"""Privacy policies of projects: rows in, rows out. Each change raises the version, by which every process notices it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from analytics_api.domain.personal_data import Mode, Rule
from analytics_api.domain.privacy import PrivacyPolicy, Signal, VisitorIds, default_modes

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy as it is stored. Version 0 is that of a project which has decided nothing."""

    policy: PrivacyPolicy = field(default_factory=PrivacyPolicy)
    hash_key: bytes = b""
    version: int = 0
    updated_at: datetime | None = None


async def policy_versions(connection: asyncpg.Connection) -> dict[int, int]:
    """Version of each project's policy; projects without one are left out."""
    rows = await connection.fetch("SELECT project_id, version FROM privacy_policies")
    return {row["project_id"]: row["version"] for row in rows}


async def find_policy(connection: asyncpg.Connection, project_id: int) -> StoredPolicy:
    """The policy of a project; version 0 when there is none."""
    row = await connection.fetchrow(
        "SELECT policy::text, hash_key, version, updated_at FROM privacy_policies WHERE project_id = $1",
        project_id,
    )
    if row is None:
        return StoredPolicy()
    return StoredPolicy(
        _policy(json.loads(row["policy"])), row["hash_key"], row["version"], row["updated_at"]
    )


async def save_policy(
    connection: asyncpg.Connection, project_id: int, policy: PrivacyPolicy, now: datetime
) -> None:
    """Set a project's policy. The key of its hashes is made with the first one and stays."""
    await connection.execute(
        """
        INSERT INTO privacy_policies AS held (project_id, policy, hash_key, version, updated_at)
        VALUES ($1, $2, $3, 1, $4)
        ON CONFLICT (project_id) DO UPDATE SET
            policy = excluded.policy, version = held.version + 1, updated_at = excluded.updated_at
        """,
        project_id,
        json.dumps(policy_document(policy)),
        secrets.token_bytes(KEY_BYTES),
        now,
    )


def policy_document(policy: PrivacyPolicy) -> dict[str, Any]:
    """A policy as JSON."""
    return {
        "fields": list(policy.fields),
        "kept_paths": list(policy.kept_paths),
        "modes": {rule.value: mode.value for rule, mode in policy.modes.items()},
        "signals": [signal.value for signal in policy.signals],
        "visitor_ids": policy.visitor_ids.value,
    }


def _policy(document: Mapping[str, Any]) -> PrivacyPolicy:
    modes = {Rule(rule): Mode(mode) for rule, mode in document["modes"].items()}
    return PrivacyPolicy(
        tuple(document["fields"]),
        tuple(document["kept_paths"]),
        default_modes() | modes,
        tuple(map(Signal, document["signals"])),
        VisitorIds(document["visitor_ids"]),
    )
