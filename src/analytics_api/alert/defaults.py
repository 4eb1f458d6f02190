"""The rules that every project begins with. They tell all channels, and show over the API when there is none."""

from __future__ import annotations

from analytics_api.store.alert_rules import RuleBody

DEFAULTS = {
    rule.name: rule
    for rule in (
        RuleBody("Destination paused", "destination_paused", {}),
        # A restart, or one slow answer of a provider, is over by then.
        RuleBody("Backlog older than an hour", "backlog_age", {"minutes": 60}, hold_seconds=120),
        # Jobs that were missed while no worker ran are made up for when one starts.
        RuleBody("Job did not run", "job_not_run", {}, hold_seconds=600),
        RuleBody("Retention blocked", "retention_blocked", {}),
    )
}
