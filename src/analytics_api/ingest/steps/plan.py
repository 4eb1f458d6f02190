"""Whether the event is as its project's tracking plan says."""

from __future__ import annotations

from analytics_api.domain.plan import Finding, PlanMode
from analytics_api.ingest.draft import Draft, Reception, Rejected, Warned


class PlanBroken(Rejected):
    """The event breaks the plan of a project that rejects such events."""

    def __init__(self, draft: Draft, findings: tuple[Finding, ...]) -> None:
        super().__init__(reasons(findings))
        self.draft = draft
        self.findings = findings


def check_plan(draft: Draft, reception: Reception) -> None:
    """Accept, reject or mark for quarantine, as the plan says. The data is checked as it would be stored."""
    plan = reception.plan
    if plan is None:
        return
    findings = plan.check(draft.payload.event_type, draft.event_data)
    if not findings:
        return
    if not plan.allows(findings):
        if plan.mode is PlanMode.REJECT:
            raise PlanBroken(draft, findings)
        draft.held = Finding(findings[0].kind, findings[0].path, reasons(findings))
    told = plan.mode is PlanMode.OBSERVE and not plan.admits_unknown(findings)
    draft.warnings.extend(Warned(one.kind, one.path, one.reason, told) for one in findings)


def reasons(findings: tuple[Finding, ...]) -> str:
    """All findings in one sentence."""
    return "; ".join(finding.reason for finding in findings)
