"""No list is without bounds: each takes `limit`, or can only be so long."""

from __future__ import annotations

from typing import Any

from analytics_api.app import create_app
from analytics_api.settings import Settings

BOUNDED = {
    "/alerts/channels": "alert.administration.MOST_CHANNELS",
    "/alerts/rules": "alert.administration.MOST_RULES",
    "/annotations": "store.saved_views.MOST_ANNOTATIONS",
    "/auth/session": "projects, which are made on the command line only",
    "/cohorts": "store.cohorts.MOST_COHORTS",
    "/deliveries": "store.destinations.MOST_DESTINATIONS",
    "/deliveries/dead-letters/groups": "store.dead_letters.MOST_GROUPS",
    "/deliveries/events": "deliver.fate_routes.MOST",
    "/destinations": "store.destinations.MOST_DESTINATIONS",
    "/goals": "store.goals.MOST_GOALS",
    "/goals/{goal_id}": "query.goal_routes.MOST_PERIODS",
    "/metrics/aggregated": "query.metrics.MOST_BUCKETS",
    "/metrics/custom": "store.custom_metrics.MOST_METRICS",
    "/metrics/custom/{name}": "versions of one definition, each an administrative act",
    "/metrics/definitions": "the catalogue",
    "/metrics/ltv/cohorts": "query.cohort_routes.MOST_COHORTS",
    "/metrics/predicted/ltv": "months",
    "/metrics/predicted/retention": "`periods`",
    "/privacy/jobs/{job_id}": "destinations of one job",
    "/privacy/policy": "privacy.policy_routes.MOST_NAMES",
    "/project/origins": "access.cors.MOST_ORIGINS",
    "/views": "store.saved_views.MOST_VIEWS",
}
"""Lists without `limit`, and what bounds them."""


def has_list(schema: dict[str, Any], of: dict[str, Any], depth: int = 0) -> bool:
    """Whether an answer is a list or has one among its fields."""
    if "$ref" in schema:
        return has_list(of[schema["$ref"].rsplit("/", 1)[1]], of, depth)
    inner = [*schema.get("anyOf", ()), *schema.get("allOf", ())]
    if depth < 1:
        inner += [field for field in schema.get("properties", {}).values() if not field.get("enum")]
    return schema.get("type") == "array" or any(has_list(each, of, depth + 1) for each in inner)


def test_every_list_has_a_limit_or_a_bound() -> None:
    document = create_app(Settings(_env_file=None), "postgresql://nowhere").openapi()
    without: set[str] = set()
    for path, calls in document["paths"].items():
        answer = calls.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        schema = answer.get("application/json", {}).get("schema", {})
        names = {parameter["name"] for parameter in calls.get("get", {}).get("parameters", ())}
        if has_list(schema, document["components"]["schemas"]) and "limit" not in names:
            without.add(path.removeprefix("/api/v1/analytics"))
    assert without == BOUNDED.keys(), "give these `limit` and a cursor, or say here what bounds them"
