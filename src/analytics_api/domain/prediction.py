"""What customers will do: purchases (BG/NBD), what they spend (Gamma-Gamma), how long a contract lasts (shifted beta-geometric).

Sources: Fader, Hardie and Lee, "Counting Your Customers the Easy Way" (2005); Fader and Hardie, "The Gamma-Gamma Model of Monetary
Value" (2013); Fader and Hardie, "How to Project Customer Retention" (2007). Parameters maximise the likelihood, without penalty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

Numbers = NDArray[np.float64]

_LARGEST = 12.0
"""Of the logarithm of a parameter. Where customers do not differ the likelihood has no maximum; the model with parameters as large as
this is that of customers who are all alike."""


class NoFit(ValueError):
    """The data do not tell the parameters: too few customers, or all alike."""


@dataclass(frozen=True)
class Histories:
    """What customers did until a day, one element a customer. Times are in weeks since the first purchase."""

    frequency: Numbers
    """Days with a purchase after the first one."""
    recency: Numbers
    """Time of the last purchase; 0 when there was only one."""
    age: Numbers
    """Time of the day up to which was looked."""
    spend: Numbers
    """Average per day with a purchase, the first one left out; anything where there was no other."""

    @cached_property
    def repeating(self) -> NDArray[np.bool_]:
        """Who came again and spent something: those who tell about spending."""
        repeating: NDArray[np.bool_] = (self.frequency > 0) & (self.spend > 0)
        return repeating


@dataclass(frozen=True, slots=True)
class Purchases:
    """BG/NBD: everybody buys at a rate of their own (gamma: r, alpha) until, after some purchase, they stop (beta: a, b)."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    @classmethod
    def fit(cls, histories: Histories) -> Purchases:
        """Of all customers together. Raises NoFit."""
        if not histories.frequency.any():
            raise NoFit("nobody has bought a second time")
        distinct, weights = np.unique(
            np.column_stack([histories.frequency, histories.recency, histories.age]),
            axis=0,
            return_counts=True,
        )
        x, last, age = distinct.T

        def likelihood(parameters: Numbers) -> float:
            r, alpha, a, b = np.exp(parameters)
            shared = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
            alive = -(r + x) * np.log(alpha + age)
            # Who bought only once cannot have stopped: one stops after a purchase that is seen.
            gone = np.where(
                x > 0,
                np.log(a) - np.log(np.maximum(b + x - 1, 1e-300)) - (r + x) * np.log(alpha + last),
                -np.inf,
            )
            return float(weights @ (shared + np.logaddexp(alive, gone)))

        (r, alpha, a, b), best = _maximum(likelihood, [0.0, 0.0, 0.0, 0.0])
        return cls(r, alpha, a, b, best)

    def alive(self, histories: Histories) -> Numbers:
        """The probability that a customer has not stopped."""
        return 1 / (1 + self._odds_of_having_stopped(histories))

    def expected(self, histories: Histories, weeks: float) -> Numbers:
        """Days with a purchase to be expected of each customer in so many weeks from now on."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x, age = histories.frequency, histories.age
        share = ((alpha + age) / (alpha + age + weeks)) ** (r + x)
        series = hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + age + weeks))
        expected: Numbers = (a + b + x - 1) / (a - 1) * (1 - share * series) * self.alive(histories)
        return expected

    def _odds_of_having_stopped(self, histories: Histories) -> Numbers:
        x = histories.frequency
        odds = (
            self.a
            / np.maximum(self.b + x - 1, 1e-300)
            * ((self.alpha + histories.age) / (self.alpha + histories.recency)) ** (self.r + x)
        )
        return np.where(x > 0, odds, 0.0)


@dataclass(frozen=True, slots=True)
class Spending:
    """Gamma-Gamma: what a customer spends varies about an average of their own, and averages vary between customers (p, q, v)."""

    p: float
    q: float
    v: float
    log_likelihood: float

    @classmethod
    def fit(cls, histories: Histories) -> Spending:
        """Of the customers that came again. Raises NoFit."""
        repeating = histories.repeating
        if not repeating.any():
            raise NoFit("nobody has paid a second time")
        x, z = histories.frequency[repeating], histories.spend[repeating]
        # Amounts as multiples of their average: the search finds its way in any currency.
        unit = float(z.mean())
        scaled = z / unit

        def likelihood(parameters: Numbers) -> float:
            p, q, v = np.exp(parameters)
            return float(
                np.sum(
                    -betaln(p * x, q)
                    + q * np.log(v)
                    + (p * x - 1) * np.log(scaled)
                    + p * x * np.log(x)
                    - (p * x + q) * np.log(x * scaled + v)
                )
            )

        (p, q, v), best = _maximum(likelihood, [0.0, 1.0, 0.0])
        if q <= 1:
            raise NoFit("what customers spend differs too much for them to have an average")
        return cls(p, q, v * unit, best - len(z) * float(np.log(unit)))

    @property
    def average(self) -> float:
        """Of the whole population."""
        return self.p * self.v / (self.q - 1)

    def expected(self, histories: Histories) -> Numbers:
        """What each customer spends on a day with a purchase, to be expected."""
        x = np.where(histories.repeating, histories.frequency, 0.0)
        expected: Numbers = (
            self.p * (self.v + x * np.where(x > 0, histories.spend, 0.0)) / (self.p * x + self.q - 1)
        )
        return expected


@dataclass(frozen=True, slots=True)
class Retention:
    """Shifted beta-geometric: everybody leaves with a probability of their own at each renewal (beta: alpha, beta)."""

    alpha: float
    beta: float
    log_likelihood: float

    @classmethod
    def fit(cls, survivors: Sequence[int]) -> Retention:
        """From how many of a cohort were there in its first period, in its second and so on. Raises NoFit."""
        counts = np.asarray(survivors, dtype=np.float64)
        lost = counts[:-1] - counts[1:]
        if len(counts) < 3 or not lost.any() or (lost < 0).any():
            raise NoFit("a cohort that was there for three periods, and lost somebody, is needed")
        periods = np.arange(1, len(counts))

        def likelihood(parameters: Numbers) -> float:
            alpha, beta = np.exp(parameters)
            leaving = betaln(alpha + 1, beta + periods - 1) - betaln(alpha, beta)
            staying = betaln(alpha, beta + periods[-1]) - betaln(alpha, beta)
            return float(lost @ leaving + counts[-1] * staying)

        (alpha, beta), best = _maximum(likelihood, [0.0, 0.0])
        return cls(alpha, beta, best)

    def survival(self, periods: int) -> list[float]:
        """The share that is still there after 0, 1, ... `periods` renewals."""
        renewals = np.arange(periods + 1)
        return [
            float(share)
            for share in np.exp(betaln(self.alpha, self.beta + renewals) - betaln(self.alpha, self.beta))
        ]


def _maximum(likelihood: Callable[[Numbers], float], start: Sequence[float]) -> tuple[list[float], float]:
    """The parameters, all above 0, at which the logarithm of the likelihood is greatest, and that. Raises NoFit."""

    def cost(parameters: Numbers) -> float:
        value = likelihood(parameters)
        return -value if np.isfinite(value) else 1e300

    bounds = [(-_LARGEST, _LARGEST)] * len(start)
    found = np.asarray(start)
    with np.errstate(all="ignore"):
        # The second time from where the first search has ended: it stops early in long valleys.
        for _ in range(2):
            best = minimize(
                cost,
                found,
                method="Nelder-Mead",
                bounds=bounds,
                options={"maxiter": 4000, "xatol": 1e-9, "fatol": 1e-10},
            )
            found = best.x
    if best.fun >= 1e300:
        raise NoFit("no parameters explain these customers")
    return [float(value) for value in np.exp(found)], -float(best.fun)
