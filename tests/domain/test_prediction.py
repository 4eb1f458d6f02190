"""The models against published figures, against simulated customers, and where they have nothing to say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_api.domain.prediction import Histories, NoFit, Purchases, Retention, Spending

REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
"""Survivors of two cohorts over 7 years: Fader and Hardie 2007, table 1."""


def histories(*customers: tuple[float, float, float, float]) -> Histories:
    return Histories(*(np.array(column) for column in zip(*customers, strict=True)))


def simulated(
    random: np.random.Generator, customers: int, weeks: float, later: float
) -> tuple[Histories, list[int]]:
    """Customers as BG/NBD and Gamma-Gamma imagine them, and what each buys in the `later` weeks. Drawn purchase by purchase."""
    rows, then = [], []
    for _ in range(customers):
        rate, quits = random.gamma(0.8, 1 / 6.0), random.beta(0.9, 2.5)
        scale = random.gamma(4.0, 1 / 16.0)
        clock, last, bought, spent, after = 0.0, 0.0, 0, 0.0, 0
        while True:
            clock += random.exponential(1 / rate)
            if clock > weeks + later:
                break
            if clock <= weeks:
                bought, last, spent = bought + 1, clock, spent + random.gamma(6.0, 1 / scale)
            else:
                after += 1
            if random.random() < quits:
                break
        rows.append((float(bought), last, weeks, spent / bought if bought else 0.0))
        then.append(after)
    return histories(*rows), then


def test_the_expected_purchases_of_the_paper() -> None:
    """Fader, Hardie and Lee 2005, section 5: CDNOW's parameters, x = 2, t_x = 30.43, T = 38.86, 39 weeks ahead."""
    model = Purchases(r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=-9582.4)
    assert model.expected(histories((2, 30.43, 38.86, 0)), 39)[0] == pytest.approx(1.226, abs=0.001)


@pytest.mark.parametrize(("survivors", "alpha", "beta"), [(REGULAR, 0.704, 1.182), (HIGH_END, 0.668, 3.806)])
def test_the_retention_of_the_paper(survivors: list[int], alpha: float, beta: float) -> None:
    model = Retention.fit(survivors)
    assert model.alpha == pytest.approx(alpha, abs=0.0006)
    assert model.beta == pytest.approx(beta, abs=0.0006)
    share = 1.0
    for period, projected in enumerate(model.survival(12)):
        # Equation 7 of the paper, one step after the other.
        share *= 1 if period == 0 else (model.beta + period - 1) / (model.alpha + model.beta + period - 1)
        assert projected == pytest.approx(share)


def test_simulated_customers_are_foreseen() -> None:
    known, then = simulated(np.random.default_rng(20), 6000, 40.0, 30.0)
    model = Purchases.fit(known)
    spending = Spending.fit(known)
    assert model.expected(known, 30.0).sum() == pytest.approx(sum(then), rel=0.06)
    assert spending.average == pytest.approx(6.0 * 16.0 / (4.0 - 1), rel=0.06)
    # The models tell customers apart as well: those of whom most is expected bring the most.
    ranked = np.array(then)[np.argsort(-model.expected(known, 30.0))]
    assert ranked[:600].mean() > 10 * ranked[-3000:].mean()


def test_the_maximum_is_one() -> None:
    known, _ = simulated(np.random.default_rng(3), 800, 40.0, 1.0)
    model = Purchases.fit(known)

    def likelihood(r: float, alpha: float, a: float, b: float) -> float:
        """Equation 3 of the paper, customer by customer, with nothing but gamma functions of the standard library."""
        total, log_gamma = 0.0, math.lgamma
        for x, last, age in zip(known.frequency, known.recency, known.age, strict=True):
            lived = math.exp(log_gamma(a + b) + log_gamma(b + x) - log_gamma(b) - log_gamma(a + b + x)) * (
                alpha + age
            ) ** -(r + x)
            stopped = 0.0
            if x > 0:
                beta = math.exp(
                    log_gamma(a + 1)
                    + log_gamma(b + x - 1)
                    - log_gamma(a + b + x)
                    + log_gamma(a + b)
                    - log_gamma(a)
                    - log_gamma(b)
                )
                stopped = beta * (alpha + last) ** -(r + x)
            total += log_gamma(r + x) - log_gamma(r) + r * math.log(alpha) + math.log(lived + stopped)
        return total

    best = likelihood(model.r, model.alpha, model.a, model.b)
    assert best == pytest.approx(model.log_likelihood)
    for number in range(4):
        for factor in (0.97, 1.03):
            moved = [model.r, model.alpha, model.a, model.b]
            moved[number] *= factor
            assert likelihood(*moved) < best


@given(factor=st.floats(0.001, 10_000))
@settings(max_examples=10, deadline=None)
def test_a_currency_with_small_units_changes_nothing_but_the_amounts(factor: float) -> None:
    known, _ = simulated(np.random.default_rng(5), 300, 40.0, 1.0)
    scaled = Histories(known.frequency, known.recency, known.age, known.spend * factor)
    assert Spending.fit(scaled).expected(scaled) == pytest.approx(
        Spending.fit(known).expected(known) * factor, rel=1e-3
    )


def test_probabilities_stay_probabilities() -> None:
    known, _ = simulated(np.random.default_rng(8), 500, 40.0, 1.0)
    model = Purchases.fit(known)
    alive = model.alive(known)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert (model.expected(known, 10.0) <= model.expected(known, 20.0)).all()


@pytest.mark.parametrize("customers", [[], [(0.0, 0.0, 10.0, 0.0)] * 5])
def test_customers_that_never_came_again_tell_nothing(
    customers: list[tuple[float, float, float, float]],
) -> None:
    known = histories(*customers) if customers else Histories(*(np.array([]) for _ in range(4)))
    with pytest.raises(NoFit):
        Purchases.fit(known)
    with pytest.raises(NoFit):
        Spending.fit(known)


@pytest.mark.parametrize("survivors", [[], [10], [10, 5], [10, 10, 10], [10, 5, 6], [0, 0, 0]])
def test_cohorts_that_tell_nothing(survivors: list[int]) -> None:
    with pytest.raises(NoFit):
        Retention.fit(survivors)
