"""Whatever intake takes can be counted: no event of anybody is set aside, and figures go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_api.access.caller import Caller
from analytics_api.aggregate.reader import RollupReader
from analytics_api.domain.project import KeyKind
from analytics_api.ingest.draft import Status
from analytics_api.ingest.payloads import Body
from analytics_api.ingest.service import Intake, IntakeLimits
from analytics_api.ingest.writer import Writer
from analytics_api.store.partitions import Partitions
from tests.support.databases import in_thread
from tests.support.events import make_project, open_database

NUMBERS = st.sampled_from(
    ["0", "-0.0", "1e308", "-1e308", "1e-320", "5e-324", "9" * 308, "-" + "9" * 40, str(2**63), str(2**64 - 1), str(2**64), "0.1"]
) | st.integers(-(2**70), 2**70).map(str)  # fmt: skip
TEXTS = st.sampled_from(
    ["", " ", "a", "\x01\x1f", "\ufffe\uffff", "\u202e", "😀" * 300, "'; --", "x" * 3_000, "2026-13-45", "NaN", "1e400", "ada"]
) | st.text(max_size=8).filter(lambda text: "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text))  # fmt: skip
SCALARS = (
    NUMBERS | TEXTS.map(lambda text: orjson.dumps(text).decode()) | st.sampled_from(["null", "true", "false"])
)


def _array(parts: list[str]) -> str:
    return f"[{','.join(parts)}]"


def _object(parts: Mapping[str, Any]) -> str:
    return f"{{{','.join(f'{orjson.dumps(name).decode()}:{value}' for name, value in parts.items())}}}"


NAMES = st.sampled_from(
    ["amount", "currency", "payment_id", "refund_id", "references", "subscription_id", "mrr", "interval", "ends_at", "alias",
     "from_user_id", "from_anonymous_id", "recipient_count", "channel", "success", "source", "page", "consent", "n", ""]
) | TEXTS  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(_array) | st.dictionaries(NAMES, inner, max_size=3).map(_object)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6).map(_object)
KEYED = st.dictionaries(st.sampled_from(["n", "m", "long" * 400]), VALUES, max_size=3).map(_object)
ADDED = st.dictionaries(st.sampled_from(["n", "m"]), NUMBERS, max_size=2).map(_object)
OPERATIONS = st.fixed_dictionaries(
    {}, optional={"$set": KEYED, "$set_once": KEYED, "$add": ADDED, "$append": KEYED, "$unset": KEYED}
).map(_object)
TYPES = st.sampled_from(
    ["page_view", "signup_completed", "payment_completed", "payment_failed", "payment_refunded", "payment_chargeback",
     "payment_linked", "subscription_created", "subscription_cancelled", "subscription_past_due", "$identify", "$alias", "$unalias"]
)  # fmt: skip
IDS = st.sampled_from(["ada", "bob", "😀" * 500]).map(
    lambda text: orjson.dumps(text).decode()
) | NUMBERS.filter(lambda text: text.lstrip("-").isdigit())
EVENTS = st.fixed_dictionaries(
    {"event_type": TYPES.map(lambda name: f'"{name}"')},
    optional={
        "user_id": IDS,
        "anonymous_id": IDS,
        "session_id": IDS,
        "event_data": OBJECTS,
        "context": OBJECTS,
        "user_properties": OPERATIONS,
        "revenue": NUMBERS,
        "timestamp": st.sampled_from(['"2026-01-31T12:00:00.999999Z"', "1772359200000", "1e300", "0"]),
    },
).map(_object)


async def play(url: str, batches: list[tuple[KeyKind, list[str]]]) -> None:
    async with open_database(url) as database:
        project = await make_project(database)
        writer = Writer(database, Partitions(), queue_bytes=10_000_000)
        writer.start()
        reader = RollupReader(database, "reader", chunk=1_000)
        try:
            intake = Intake(writer, IntakeLimits())
            taken = 0
            for kind, events in batches:
                body: list[Any] = [event.encode() for event in events]
                results = await intake.take(Body(body, single=False), Caller.with_key(project, kind, 1))
                taken += sum(result.status is Status.ACCEPTED for result in results)
                assert not [one.reason for one in results if "the database refused" in (one.reason or "")]
            reports = await reader.run_once(wait=False)
            assert (
                sum(report.events for report in reports),
                {report.error for report in reports} - {None},
            ) == (taken, set())
        finally:
            await reader.disconnect()
            await writer.close()
        aside = await database.pool.fetch(
            "SELECT f.error, to_jsonb(e)::text FROM rollup_failures f JOIN events e USING (seq)"
        )
        assert [tuple(row) for row in aside] == []


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([KeyKind.WRITE, KeyKind.SERVER]), st.lists(EVENTS, min_size=1, max_size=15)
        ),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_intake_takes_is_counted(
    database_url: str, batches: list[tuple[KeyKind, list[str]]]
) -> None:
    in_thread(play(database_url, batches))
