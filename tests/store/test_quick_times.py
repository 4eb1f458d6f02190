"""Times that go through the quicker encoding are those that the driver's own encoding stores and reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from analytics_api.store.quick_times import quicken_times

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Strategies take bounds without a zone.
BOUNDS = datetime(2, 1, 1), datetime(9998, 12, 31)  # noqa: DTZ001
MOMENTS = st.datetimes(*BOUNDS, timezones=st.just(UTC) | ZONES)


async def test_times_are_stored_and_read_as_the_driver_does(database_url: str) -> None:
    dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    plain, quick = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    await quicken_times(quick)
    await plain.execute("CREATE TABLE moments (place int, moment timestamptz)")
    sent = _examples()
    rows = [(place, moment) for place, moment in enumerate(sent)]
    await quick.copy_records_to_table("moments", records=rows)
    ask = "SELECT moment FROM moments ORDER BY place"
    as_array = await quick.fetchval("SELECT $1::timestamptz[]", sent)
    assert [row["moment"] for row in await plain.fetch(ask)] == sent
    assert [row["moment"] for row in await quick.fetch(ask)] == sent
    assert as_array == sent
    assert all(moment.tzinfo is UTC for moment in as_array)
    await plain.close()
    await quick.close()


def _examples() -> list[datetime]:
    found: list[datetime] = []

    @settings(max_examples=300, database=None)
    @given(MOMENTS)
    def collect(moment: datetime) -> None:
        # Twice in a row, as all events of a request have one time of arrival.
        found.extend((moment, moment))

    collect()
    return found
