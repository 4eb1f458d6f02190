"""Everything that is served below the API's prefix."""

from __future__ import annotations

from analytics_api import control
from analytics_api.access.audit_routes import router as audit_router
from analytics_api.access.auth_routes import router as auth_router
from analytics_api.access.key_routes import router as key_router
from analytics_api.access.member_routes import router as member_router
from analytics_api.access.project_routes import router as project_router
from analytics_api.access.share_routes import router as share_router
from analytics_api.aggregate.cohort_routes import router as saved_cohort_router
from analytics_api.aggregate.custom_metric_routes import router as custom_metric_router
from analytics_api.aggregate.goal_routes import router as goal_setting_router
from analytics_api.aggregate.routes import router as money_router
from analytics_api.alert.routes import router as alert_router
from analytics_api.deliver.dead_letter_routes import router as dead_letter_router
from analytics_api.deliver.destination_routes import router as destination_router
from analytics_api.deliver.fate_routes import router as fate_router
from analytics_api.deliver.overview_routes import router as overview_router
from analytics_api.deliver.replay_routes import router as replay_router
from analytics_api.deliver.routes import router as deliver_router
from analytics_api.ingest.flat_routes import router as flat_router
from analytics_api.ingest.person_routes import router as person_router
from analytics_api.ingest.plan.quarantine_routes import router as quarantine_router
from analytics_api.ingest.plan.routes import router as plan_router
from analytics_api.ingest.stripe.routes import router as stripe_router
from analytics_api.privacy.consent_routes import router as consent_router
from analytics_api.privacy.erasure_routes import router as erasure_router
from analytics_api.privacy.policy_routes import router as policy_router
from analytics_api.privacy.retention_routes import router as retention_router
from analytics_api.query.acquisition_routes import router as acquisition_router
from analytics_api.query.analysis.routes import router as analysis_router
from analytics_api.query.analysis.timeline_routes import router as timeline_router
from analytics_api.query.cohort_routes import router as cohort_router
from analytics_api.query.export.routes import router as export_router
from analytics_api.query.goal_routes import router as goal_router
from analytics_api.query.live.routes import router as live_router
from analytics_api.query.prediction_routes import router as prediction_router
from analytics_api.query.reports.product_routes import router as product_router
from analytics_api.query.reports.routes import router as report_router
from analytics_api.query.reports.web_routes import router as web_router
from analytics_api.query.routes import router as query_router
from analytics_api.routes import Routes
from analytics_api.show.view_routes import router as view_router

ROUTERS: tuple[Routes, ...] = (
    query_router,
    prediction_router,
    report_router,
    product_router,
    web_router,
    live_router,
    export_router,
    custom_metric_router,
    acquisition_router,
    cohort_router,
    analysis_router,
    timeline_router,
    goal_router,
    goal_setting_router,
    saved_cohort_router,
    money_router,
    overview_router,
    deliver_router,
    dead_letter_router,
    fate_router,
    replay_router,
    destination_router,
    control.router,
    auth_router,
    member_router,
    key_router,
    audit_router,
    project_router,
    share_router,
    view_router,
    alert_router,
    plan_router,
    quarantine_router,
    person_router,
    policy_router,
    retention_router,
    flat_router,
    stripe_router,
    erasure_router,
    consent_router,
)
