"""Real data in by the command line, figures out over HTTP, equal to the known answers on every single day."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import ServerProcess, clean_environment

LONGEST_WINDOW_DAYS = 366
"""Of a funnel: what is to happen at any time is asked so where the data are no longer."""
SETS = ["cdnow", "college_msg", "apache_logs", "cookie_cats", "ga_store", "ravenstack"]
MAPS = {
    "ravenstack": [
        "signup=signup_completed",
        "subscription_started=subscription_created",
        "subscription_ended=subscription_cancelled",
    ]
}
"""Event types of a file in ours."""


@pytest.fixture(scope="module")
def data() -> Path:
    import os

    folder = os.environ.get("ANALYTICS_SHARED_DATA")
    if not folder:
        pytest.skip("needs the real data sets: set ANALYTICS_SHARED_DATA to their folder")
    return Path(folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[ServerProcess]:
    from tests.conftest import _stop_embedded

    folder = tmp_path_factory.mktemp("known")
    with ServerProcess({"ANALYTICS__SANDBOX_MODE": "true"}, folder, "serve", "--with-worker") as started:
        started.start()
        yield started
        started.stop()
    _stop_embedded(folder / ".data")


def command(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "analytics_api", *arguments],
        cwd=folder,
        env=clean_environment({}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=SETS)
def answers(request: pytest.FixtureRequest, server: ServerProcess, data: Path) -> tuple[str, dict[str, Any]]:
    """A data set that has been imported, with its known answers."""
    name = request.param
    known = json.loads((data / "known-answers" / f"{name}.json").read_text())
    file = str(data / f"{name}.events.csv.gz")
    options = [file, "--project", name, *(part for pair in MAPS.get(name, []) for part in ("--map", pair))]
    out = command(server._folder, "import", *options)
    assert f"{known['totals']['events']} events stored, 0 duplicates, 0 rejected" in out
    assert "nothing was added" in command(server._folder, "import", *options)
    again = command(server._folder, "import", *options, "--again")
    assert f"0 events stored, {known['totals']['events']} duplicates, 0 rejected" in again
    wait_until_counted(server, name, known)
    return name, known


def series(
    server: ServerProcess, project: str, metric: str, period: str, known: dict[str, Any]
) -> dict[str, float]:
    """The figures of all buckets from the first to the last event, by date."""
    return {point["metric_date"]: point["value"] for point in points(server, project, metric, period, known)}


def points(
    server: ServerProcess, project: str, metric: str, period: str, known: dict[str, Any]
) -> list[dict[str, Any]]:
    """The same with what explains them."""
    first, last = (known["totals"][name][:10] for name in ("first_ts", "last_ts"))
    answer = httpx.get(
        f"{server.url}/api/v1/analytics/metrics/aggregated",
        params={
            "project": project,
            "metric_type": metric,
            "period": period,
            "start_date": first,
            "end_date": last,
            "include_bots": "true",
        },
        timeout=60,
        verify=False,
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def wait_until_counted(
    server: ServerProcess, project: str, known: dict[str, Any], events: int | None = None
) -> None:
    """Until the figures have all that is stored: an import ends with its last commit, and counting comes behind."""
    first, last = (date.fromisoformat(known["totals"][name][:10]) for name in ("first_ts", "last_ts"))
    days = {"start_date": str(first - timedelta(days=1)), "end_date": str(last + timedelta(days=1))}
    for _ in range(600):
        found = asked(
            server,
            "metrics/aggregated",
            project=project,
            metric_type="events",
            include_bots="true",
            **days,
        )
        if sum(point["value"] for point in found) >= (events or known["totals"]["events"]):
            return
        time.sleep(0.2)
    raise AssertionError(f"{project} was not counted")


def every_day(known: dict[str, Any], figures: dict[str, float]) -> dict[str, float]:
    """The known figures with 0 on days that they leave out."""
    day = date.fromisoformat(known["totals"]["first_ts"][:10])
    last = date.fromisoformat(known["totals"]["last_ts"][:10])
    days = [day + timedelta(days=number) for number in range((last - day).days + 1)]
    return {str(day): figures.get(str(day), 0) for day in days}


@pytest.mark.parametrize(
    ("metric", "answer"), [("events", "events_per_day"), ("dau", "dau"), ("new_persons", "new_users_per_day")]
)
def test_daily_figures(
    answers: tuple[str, dict[str, Any]], server: ServerProcess, metric: str, answer: str
) -> None:
    name, known = answers
    assert series(server, name, metric, "daily", known) == every_day(known, known[answer])


@pytest.mark.parametrize(
    ("metric", "answer"), [("wau_rolling", "rolling_7d"), ("mau_rolling", "rolling_30d")]
)
def test_rolling_figures(
    answers: tuple[str, dict[str, Any]], server: ServerProcess, metric: str, answer: str
) -> None:
    name, known = answers
    assert series(server, name, metric, "daily", known) == every_day(known, known[answer])


def test_weeks(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    name, known = answers
    weeks = {
        str(date.fromisocalendar(int(week[:4]), int(week[-2:]), 1)): users
        for week, users in known["wau_iso"].items()
    }
    assert series(server, name, "wau", "weekly", known) == {
        week: weeks.get(week, 0) for week in series(server, name, "wau", "weekly", known)
    }
    assert set(weeks) <= set(series(server, name, "wau", "weekly", known))


def test_months(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    name, known = answers
    assert series(server, name, "mau", "monthly", known) == {
        f"{m}-01": users for m, users in known["mau"].items()
    }


def test_revenue(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    name, known = answers
    if "revenue" not in known:
        return
    per_day = {day: float(amount) for day, amount in known["revenue"]["per_day"].items()}
    assert series(server, name, "revenue", "daily", known) == every_day(known, per_day)


def test_payers(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    """Everybody pays for the first time once, so days add up to all payers, and revenue to what each has brought."""
    name, known = answers
    people = known.get("revenue", {}).get("identified_users")
    if people is None:
        return
    payers, persons, revenue = (
        sum(series(server, name, metric, "daily", known).values())
        for metric in ("new_payers", "new_persons", "revenue")
    )
    assert (payers, persons) == (people["paying_users"], people["users"])
    assert revenue / persons == pytest.approx(people["arpu"], abs=5e-7)
    assert revenue / payers == pytest.approx(people["arppu"], abs=5e-7)


def test_sessions(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    name, known = answers
    days = series(server, name, "sessions", "daily", known)
    expected = known["sessions_30min_ge"]
    assert sum(days.values()) == expected["sessions"]
    parts = [point["metadata"] for point in points(server, name, "average_session_seconds", "daily", known)]
    assert sum(part["denominator"] for part in parts) == expected["sessions"]
    seconds = sum(part["numerator"] for part in parts)
    assert seconds / expected["sessions"] == pytest.approx(expected["mean_duration_s"], abs=5e-4)


def analysed(
    server: ServerProcess, project: str, known: dict[str, Any], analysis: str, **question: Any
) -> Any:
    """The answer about all days from the first to the last event, unless the question says other ones."""
    first, last = (known["totals"][name][:10] for name in ("first_ts", "last_ts"))
    asked = {"start_date": first, "end_date": last, "include_bots": True, **question}
    answer = httpx.post(
        f"{server.url}/api/v1/analytics/analysis/{analysis}",
        params={"project": project},
        json=asked,
        timeout=60,
        verify=False,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_retention_by_month(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    name, known = answers
    cohorts = known["cohort_retention_month"]
    matrix = analysed(
        server,
        name,
        known,
        "retention",
        period="monthly",
        columns=max(len(c["active"]) for c in cohorts.values()),
    )
    rows = {row["cohort"][:7]: row for row in matrix["cohorts"]}
    assert {month: row["size"] for month, row in rows.items()} == {
        month: cohorts.get(month, {}).get("size", 0) for month in rows
    }
    for month, cohort in cohorts.items():
        found = [cell["so_far"] for cell in rows[month]["cells"]]
        assert found[: len(cohort["active"])] == cohort["active"], month


@pytest.mark.parametrize(("clock", "answer"), [("calendar", "calendar"), ("rolling", "window24h")])
def test_retention_after_days(
    answers: tuple[str, dict[str, Any]], server: ServerProcess, clock: str, answer: str
) -> None:
    """Those count whose n-th day lies within the data."""
    name, known = answers
    last = date.fromisoformat(known["totals"]["last_ts"][:10])
    as_of = f"{last + timedelta(days=1)}T00:00:00Z" if clock == "calendar" else known["totals"]["last_ts"]
    matrix = analysed(server, name, known, "retention", columns=31, clock=clock, as_of=as_of)
    for day, expected in known["nday_retention"][answer].items():
        pooled = matrix["overall"][int(day[1:])]
        found = (pooled["numerator"], pooled["denominator"])
        assert found == (expected["retained"], expected["eligible"]), day


def test_funnels(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    name, known = answers
    for funnel in known.get("funnels", []):
        ours = dict(pair.split("=") for pair in MAPS.get(name, []))
        steps = [
            {"any_of": [{"event": ours.get(event, event)} for event in step["events"]]}
            for step in funnel["steps"]
        ]
        windows = {
            key: int(key.removeprefix("window_").removesuffix("d"))
            for key in funnel
            if key.startswith("window_")
        }
        assert windows
        first, last = (date.fromisoformat(known["totals"][each][:10]) for each in ("first_ts", "last_ts"))
        if (last - first).days < LONGEST_WINDOW_DAYS:
            windows["closed_any_time"] = LONGEST_WINDOW_DAYS
        for window, days in windows.items():
            seconds = days * 86_400
            found = analysed(server, name, known, "funnel", steps=steps, window_seconds=seconds)
            assert [step["count"] for step in found["steps"]] == funnel[window], window


def test_two_arms(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    """The published comparison of cookie_cats: sizes, shares, differences, z, p and intervals."""
    name, known = answers
    if "ab_arms" not in known:
        return
    day = 86_400
    metrics = [
        {"event": "session", "name": f"d{n}", "after_seconds": n * day, "before_seconds": (n + 1) * day}
        for n in (1, 7)
    ]
    found = analysed(
        server,
        name,
        known,
        "experiment",
        exposure={"event": "install"},
        variant="event_data.arm",
        control="gate_40",
        metrics=metrics,
    )
    arms = known["ab_arms"]
    assert {each["variant"]: each["persons"] for each in found["variants"]} == {
        arm: facts["users"] for arm, facts in arms.items()
    }
    for metric in found["metrics"]:
        for result in metric["results"]:
            assert result["numerator"] == arms[result["variant"]][f"{metric['name']}_retained"]
        expected = known["ab_tests_gate30_minus_gate40"][metric["name"]]
        against = metric["results"][0]["against_control"]
        assert against["difference"] == pytest.approx(expected["diff"])
        assert against["relative"] == pytest.approx(expected["relative_lift"])
        assert against["statistic"] == pytest.approx(expected["z"])
        assert against["p_value"] == pytest.approx(expected["p_two_sided"])
        interval = [against["interval"]["low"], against["interval"]["high"]]
        assert interval == pytest.approx(expected["ci95_unpooled"])
    rounds = analysed(
        server,
        name,
        known,
        "trends",
        series=[{"event": "install", "of": "sum", "property": "event_data.rounds"}],
        breakdown="event_data.arm",
    )
    [series] = rounds["series"]
    assert {each["value"]: each["total"] for each in series["values"] if not each["others"]} == {
        arm: facts["game_rounds"] for arm, facts in arms.items()
    }


MONTHLY = [
    ("monthly_lifecycle_new", lambda known: known["new_users_per_month"]),
    ("monthly_revenue", lambda known: known.get("revenue", {}).get("per_month", {})),
    ("churn_rate", lambda known: _next_month(known, "churn_rate")),
    ("monthly_lifecycle_dormant", lambda known: _next_month(known, "lost")),
    ("monthly_lifecycle_resurrected", lambda known: _next_month(known, "returned_next")),
    ("monthly_payers", lambda known: known.get("revenue", {}).get("paying_users_per_month", {})),
    ("mrr", lambda known: {month: row["mrr"] for month, row in known.get("mrr_month_end", {}).items()}),
]


def _next_month(known: dict[str, Any], name: str) -> dict[str, float]:
    """Known of the month that somebody was active in before; ours is the month of the loss."""
    found = {}
    for month, row in known["churn_month"].items():
        after = date.fromisoformat(f"{month}-28") + timedelta(days=4)
        found[f"{after:%Y-%m}"] = row[name]
    return found


@pytest.mark.parametrize(("metric", "answer"), MONTHLY, ids=[metric for metric, _ in MONTHLY])
def test_monthly_figures(
    answers: tuple[str, dict[str, Any]], server: ServerProcess, metric: str, answer: Any
) -> None:
    name, known = answers
    expected = {f"{month}-01": float(value) for month, value in answer(known).items()}
    if expected:
        found = series(server, name, metric, "monthly", known)
        # Known rates have six digits.
        assert {month: found[month] for month in expected} == pytest.approx(expected, abs=5e-7)


def test_signups_and_subscriptions_by_month(
    answers: tuple[str, dict[str, Any]], server: ServerProcess
) -> None:
    name, known = answers
    if "mrr_month_end" not in known:
        return
    assert sum(series(server, name, "new_registrations", "daily", known).values()) == 500
    running = dict.fromkeys(known["mrr_month_end"], 0.0)
    for metric, column, sign in (
        ("new_subscriptions", "started", 1),
        ("cancelled_subscriptions", "ended", -1),
    ):
        days = series(server, name, metric, "daily", known)
        for month, row in known["mrr_month_end"].items():
            assert sum(value for day, value in days.items() if day[:7] == month) == row[column], month
            running[month] += sign * sum(value for day, value in days.items() if day[:7] <= month)
    assert running == {month: row["active_subscriptions"] for month, row in known["mrr_month_end"].items()}


def test_lifetime_value_by_cohort(answers: tuple[str, dict[str, Any]], server: ServerProcess) -> None:
    name, known = answers
    cohorts = known.get("revenue", {}).get("ltv_cohort_month")
    if not cohorts:
        return
    first, last = min(cohorts), max(cohorts)
    found = asked(
        server,
        "metrics/ltv/cohorts",
        project=name,
        start_date=f"{first}-01",
        end_date=f"{last}-01",
        months=36,
    )
    by_month = {cohort["cohort"][:7]: cohort for cohort in found["cohorts"]}
    for month, cohort in cohorts.items():
        ours = by_month[month]
        assert ours["size"] == cohort["size"]
        months = ours["by_month"][: len(cohort["ltv"])]
        assert [row["net_revenue"] for row in months] == pytest.approx(
            list(map(float, cohort["cum_revenue"]))
        )
        assert [row["ltv"] for row in months] == pytest.approx(cohort["ltv"], abs=5e-7)


def test_local_days_of_the_store(
    answers: tuple[str, dict[str, Any]], server: ServerProcess, data: Path
) -> None:
    """The store's own days, in Pacific time; and the same asked of a project whose days are UTC's."""
    name, known = answers
    if name != "ga_store":
        return
    months = {f"{month[:4]}-{month[4:]}": rows for month, rows in known["rows_per_local_month"].items()}
    create = ("projects", "create", "ga-local", "--time-zone", "America/Los_Angeles")
    command(server._folder, *create)
    command(server._folder, "import", str(data / "ga_store.events.csv.gz"), "--project", "ga-local")
    wait_until_counted(server, "ga-local", known)
    found = dict.fromkeys(months, 0.0)
    for day, events in series(server, "ga-local", "events", "daily", known).items():
        if day[:7] in found:
            found[day[:7]] += events
    assert found == months
    in_zone = asked(
        server,
        "metrics/aggregated",
        project="ga_store",
        metric_type="events",
        start_date="2016-08-01",
        end_date="2016-08-31",
        zone="America/Los_Angeles",
    )
    assert sum(point["value"] for point in in_zone) == months["2016-08"]


def test_cost_of_acquisition_by_campaign(server: ServerProcess, data: Path, tmp_path: Path) -> None:
    """The file of ads goes in as it stands; the customers that it counts are made."""
    known = json.loads((data / "known-answers" / "kag_ads.json").read_text())["by_campaign"]
    command(server._folder, "projects", "create", "kag-ads")
    ads = [str(data / "kag_ads_dev.csv.gz"), "--project", "kag-ads"]
    columns = ["--column", "campaign=xyz_campaign_id", "--column", "amount=Spent"]
    constants = ["--set", "channel=paid", "--set", "date=2017-08-17"]
    assert "518 rows make 2 entries; 2 would be new" in command(
        server._folder, "spend", "import", *ads, *columns, *constants, "--dry-run"
    )
    assert "2 new or changed" in command(server._folder, "spend", "import", *ads, *columns, *constants)
    assert "0 new or changed" in command(server._folder, "spend", "import", *ads, *columns, *constants)
    lines = [
        {
            "event_type": "payment_completed",
            "event_id": f"kag-{campaign}-{number}",
            "user_id": f"{campaign}-{number}",
            "timestamp": "2017-08-20T12:00:00Z",
            "revenue": 10,
            "context": {"source": {"channel": "paid", "utm_campaign": campaign}},
        }
        for campaign, row in known.items()
        for number in range(row["approved"])
    ]
    (tmp_path / "customers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    command(server._folder, "import", str(tmp_path / "customers.jsonl"), "--project", "kag-ads")
    found = asked(
        server,
        "metrics/acquisition",
        project="kag-ads",
        start_date="2017-08-01",
        end_date="2017-08-31",
        by="campaign",
    )
    costs = {cost["campaign"]: cost for cost in found["costs"]}
    for campaign, row in known.items():
        assert costs[campaign]["spend"] == pytest.approx(row["spent"], abs=5e-7)
        assert costs[campaign]["new_payers"] == row["approved"]
        assert costs[campaign]["cac"] == pytest.approx(row["cac"], abs=5e-7)
    assert found["total"]["cac"] == pytest.approx(
        sum(row["spent"] for row in known.values()) / sum(row["approved"] for row in known.values())
    )
    assert found["state"] == "final"


def asked(server: ServerProcess, path: str, **parameters: Any) -> Any:
    answer = httpx.get(f"{server.url}/api/v1/analytics/{path}", params=parameters, timeout=60, verify=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_lifetime_value_foreseen(server: ServerProcess, data: Path, tmp_path: Path) -> None:
    """The published parameters of BG/NBD and Gamma-Gamma for the tenth of CDNOW's customers they were published for."""
    answers = json.loads((data / "known-answers" / "cdnow.json").read_text())
    known = answers["ltv_models"]
    with gzip.open(data / "cdnow.events.csv.gz", "rt") as whole:
        head, *rows = whole
    rows = [row for row in rows if "sample_id" in row]
    (tmp_path / "sample.csv").write_text(head + "".join(rows))
    command(server._folder, "import", str(tmp_path / "sample.csv"), "--project", "cdnow-sample")
    wait_until_counted(server, "cdnow-sample", answers, len(rows))
    found = asked(
        server, "metrics/predicted/ltv", project="cdnow-sample", as_of="1997-09-30", horizon_days=39 * 7
    )
    assert found["customers"] == known["customers"]
    assert found["repeat_customers"] == known["repeat_customers"]
    assert found["repeat_purchases"] == known["repeat_transactions_calibration"]
    for ours, theirs in (("purchases", "bgnbd"), ("spending", "gamma_gamma")):
        for name, value in known[theirs].items():
            assert found[ours]["log_likelihood" if name == "LL" else name] == pytest.approx(value, rel=1e-5)
    spending = found["spending"]
    assert spending["observed_average"] == pytest.approx(known["mean_repeat_spend"])
    assert spending["correlation"] == pytest.approx(known["corr_x_z"])
    assert spending["average"] == pytest.approx(known["population_mean_spend_pv_over_q_minus_1"], rel=1e-5)
    expected = found["expected"]["expected_purchases"]
    assert expected == pytest.approx(known["sum_E_Y39_all_customers"], rel=1e-5)
    # What then really happened; BG/NBD is known to fall short of it on these data.
    assert expected == pytest.approx(
        known["distinct_purchase_days_holdout_1997_10_01_to_1998_06_30"], rel=0.15
    )


def test_retention_foreseen(server: ServerProcess, data: Path) -> None:
    known = json.loads((data / "known-answers" / "sbg_regular.json").read_text())
    file = str(data / "sbg_regular.events.csv.gz")
    command(server._folder, "import", file, "--project", "sbg-regular")
    # The eight years that the model was published for, the last of which ends on this day.
    ask = {"cohort_start": "2000-01-15", "cohort_end": "2000-01-15", "period": "yearly", "periods": 5}
    found = asked(server, "metrics/predicted/retention", project="sbg-regular", as_of="2008-01-14", **ask)
    fit, years = known["sbg_fit_years_0_7"], found["periods"]
    assert [year["survivors"] for year in years[:8]] == known["survivors_by_year"][:8]
    assert found["alpha"] == pytest.approx(fit["alpha"], rel=1e-5)
    assert found["beta"] == pytest.approx(fit["beta"], rel=1e-5)
    assert found["log_likelihood"] == pytest.approx(fit["LL"])
    projected = [year["projected"] for year in years[8:]]
    assert projected == pytest.approx(fit["projected_survival_years_8_12"], rel=1e-5)
