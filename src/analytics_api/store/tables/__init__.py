"""All tables, as SQLAlchemy sees them. The migrations are the truth; a test holds the two together.

Rules for person-keyed tables (events, event_keys, persons, person_days, person_firsts, person_links, sessions, cohort_members), so that they can be
distributed by person later: `person_id` is in every key and never updated, no other unique constraint, no foreign key, no trigger.
"""

from __future__ import annotations

from analytics_api.store.tables import access, alerts, delivery, figures, log, people, plans, privacy
from analytics_api.store.tables.base import metadata

__all__ = ["access", "alerts", "delivery", "figures", "log", "metadata", "people", "plans", "privacy"]
