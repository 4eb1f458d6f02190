"""Lifetime value and retention as models foresee them, with what tells how far to believe them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from analytics_api.domain.metrics import SMALL_SAMPLE
from analytics_api.store.metrics.customers import Customer, Customers

if TYPE_CHECKING:
    from analytics_api.domain.prediction import Histories, Purchases, Retention, Spending

MOST_CUSTOMERS = 200_000
"""Whose history is read: more make no better parameters. Measured: 23,570 take 1.4 s."""
WEEK = 7

VALUE_DEFINITION = (
    "Customers are persons with a payment; a day with any is one purchase, refunds are not subtracted. BG/NBD says how many "
    "purchases are to come, Gamma-Gamma what they bring; both are fitted to all customers by maximum likelihood. Revenue, not profit."
)
RETENTION_DEFINITION = (
    "Shifted beta-geometric model, fitted by maximum likelihood to how many of the persons of a cohort were still there after "
    "each period. There is who has an event, renewals included, in the period or later."
)


@dataclass(frozen=True)
class Forecast:
    """What is to be expected of each customer."""

    customers: Sequence[Customer]
    histories: Histories
    purchases: Purchases
    spending: Spending
    weeks: float

    def rows(self) -> list[tuple[Customer, float, float, float]]:
        """Each customer with the probability of being one still, purchases to come and their revenue."""
        alive = self.purchases.alive(self.histories).tolist()
        coming = self.purchases.expected(self.histories, self.weeks)
        worth = (coming * self.spending.expected(self.histories)).tolist()
        return list(zip(self.customers, alive, coming.tolist(), worth, strict=True))


def forecast(customers: Sequence[Customer], as_of: date, days: int) -> Forecast:
    """Fit the models and ask them. Takes seconds: not for the event loop. Raises NoFit."""
    # Imported here: it takes half a second and 60 MB, which processes that are never asked need not have.
    import numpy as np

    from analytics_api.domain.prediction import Histories, Purchases, Spending

    repeats = np.array([one.purchase_days - 1 for one in customers], dtype=np.float64)
    later = np.array([float(one.later_revenue) for one in customers])
    histories = Histories(
        frequency=repeats,
        recency=np.array([(one.last_day - one.first_day).days / WEEK for one in customers]),
        age=np.array([(as_of - one.first_day).days / WEEK for one in customers]),
        spend=later / np.maximum(repeats, 1),
    )
    return Forecast(
        customers, histories, Purchases.fit(histories), Spending.fit(histories), weeks=days / WEEK
    )


def value_answer(found: Customers, made: Forecast) -> dict[str, Any]:
    """The models, the sums and each cohort of first purchases by month."""
    import numpy as np

    rows = made.rows()
    cohorts: dict[date, list[tuple[Customer, float, float, float]]] = defaultdict(list)
    for row in rows:
        cohorts[row[0].first_day.replace(day=1)].append(row)
    repeating = made.histories.repeating
    x, z = made.histories.frequency[repeating], made.histories.spend[repeating]
    varied = len(x) > 1 and float(x.std()) > 0 and float(z.std()) > 0
    purchases, spending = made.purchases, made.spending
    return {
        "definition": VALUE_DEFINITION,
        "customers": found.all,
        "customers_read": len(found.chosen),
        "repeat_customers": int((made.histories.frequency > 0).sum()),
        "repeat_purchases": int(made.histories.frequency.sum()),
        "small_sample": len(x) < SMALL_SAMPLE,
        "purchases": {
            "r": purchases.r,
            "alpha": purchases.alpha,
            "a": purchases.a,
            "b": purchases.b,
            "log_likelihood": purchases.log_likelihood,
        },
        "spending": {
            "p": spending.p,
            "q": spending.q,
            "v": spending.v,
            "log_likelihood": spending.log_likelihood,
            "average": spending.average,
            "customers": len(x),
            "observed_average": float(z.mean()),
            "correlation": float(np.corrcoef(x, z)[0, 1]) if varied else None,
        },
        "expected": _sums(rows),
        "cohorts": [
            {"cohort": month.isoformat(), **_sums(members)} for month, members in sorted(cohorts.items())
        ],
    }


def _sums(rows: Sequence[tuple[Customer, float, float, float]]) -> dict[str, Any]:
    revenue, expected = sum(float(row[0].revenue) for row in rows), sum(row[3] for row in rows)
    return {
        "customers": len(rows),
        "alive": sum(row[1] for row in rows),
        "revenue": revenue,
        "expected_purchases": sum(row[2] for row in rows),
        "expected_revenue": expected,
        "ltv": (revenue + expected) / len(rows),
    }


def person_answers(made: Forecast, most: int) -> list[dict[str, Any]]:
    """The customers that most is expected of."""
    rows = sorted(made.rows(), key=lambda row: (-row[3], row[0].person_id))[:most]
    return [
        {
            "person_id": str(customer.person_id),
            "user_id": customer.user_id,
            "first_purchase": customer.first_day.isoformat(),
            "last_purchase": customer.last_day.isoformat(),
            "purchase_days": customer.purchase_days,
            "revenue": float(customer.revenue),
            "alive": alive,
            "expected_purchases": coming,
            "expected_revenue": worth,
        }
        for customer, alive, coming, worth in rows
    ]


def fit_retention(survivors: Sequence[int]) -> Retention:
    """Raises NoFit."""
    from analytics_api.domain.prediction import Retention

    return Retention.fit(survivors)


def retention_answer(survivors: Sequence[int], fitted: Retention, periods: int) -> dict[str, Any]:
    """What was and what is to be expected, period by period."""
    projected = fitted.survival(len(survivors) - 1 + periods)
    return {
        "definition": RETENTION_DEFINITION,
        "alpha": fitted.alpha,
        "beta": fitted.beta,
        "log_likelihood": fitted.log_likelihood,
        "small_sample": survivors[0] < SMALL_SAMPLE,
        "periods": [
            {
                "period": number,
                "survivors": survivors[number] if number < len(survivors) else None,
                "observed": survivors[number] / survivors[0] if number < len(survivors) else None,
                "projected": share,
            }
            for number, share in enumerate(projected)
        ],
    }
