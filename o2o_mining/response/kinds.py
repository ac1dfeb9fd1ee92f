"""The hidden kind of every customer, told from offers that are over, and what it says of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from scipy.special import expit, softmax

from o2o_mining.response.mixture import KINDS, Panel, ResponseMixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The mixture is learned from so many customers at most, evenly chosen; beyond, it gains little.
_CUSTOMERS = 12_000
# So many offers with and without being asked make a mixture.
_FEWEST = 30


@dataclass(frozen=True)
class Encoding:
    """How columns of units become numbers; fixed by what was learned from."""

    categories: tuple[str, ...]
    channels: tuple[str, ...]
    usual_off: float

    def arrays(self, t: pd.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
        """Return base, offer, reach and traits of rows, shape (n, k) each; what is not known stands in the middle."""
        one = np.ones(len(t))
        km = np.minimum(t["distance_m"].fillna(3_000.0).to_numpy() / 3_000, 10.0)
        visits = np.log1p(t["n_visits"].fillna(0.0).to_numpy())
        # Whoever never came has been away longer than anybody.
        away = np.log1p(t["recency_days"].fillna(400.0).to_numpy()) / 2 - 2
        new = (t["n_visits"].fillna(0.0).to_numpy() == 0).astype(np.float64)
        here = [(t["category"] == name).to_numpy(np.float64) for name in self.categories]
        over = [(t["channel"] == name).to_numpy(np.float64) for name in self.channels]
        off = (t["off_share"].fillna(self.usual_off).to_numpy() - self.usual_off) * 5
        age = (t["age_years"].fillna(38.0).to_numpy() - 38) / 12
        out = t["centre_km"].fillna(4.0).clip(upper=40.0).to_numpy() / 2 - 2
        base = np.column_stack([one, km, *(km * of for of in here), away, visits, new])
        offer = np.column_stack([one, *over, off])
        reach = np.column_stack([one, away, visits, new])
        return base, offer, reach, np.column_stack([one, age, out, age**2, out**2])


@dataclass(frozen=True)
class Kinds:
    """A mixture of hidden kinds of customers, how units become its numbers, and the customers that taught it."""

    model: ResponseMixture
    encoding: Encoding
    learned_from: frozenset[str]

    @classmethod
    def learned(cls, units: pd.DataFrame) -> Self | None:
        """Learn from offers that are over; None where too few were asked, or not asked.

        Parameters
        ----------
        units
            What `offer_units` returns, in an order of their own: the fit depends on it.
        """
        asked = int(units["asked"].sum())
        if min(asked, len(units) - asked) < _FEWEST:
            return None
        encoding = Encoding(
            tuple(sorted(units["category"].dropna().unique())),
            tuple(sorted(units["channel"].dropna().unique())),
            float(units["off_share"].median()) if units["off_share"].notna().any() else 0.3,
        )
        names, panel = _panel(units, encoding)
        some = np.arange(len(names)) % -(-len(names) // _CUSTOMERS) == 0
        return cls(ResponseMixture().fit(panel.of(some)), encoding, frozenset(names[some]))

    def evidence(self, units: pd.DataFrame, rows: pd.DataFrame) -> Floats:
        """Return what each row's customer had shown before the row's moment: the log likelihood of every kind.

        Parameters
        ----------
        units
            What `offer_units` returns, of these customers at least.
        rows
            ``customer_id, known_at``.

        Returns
        -------
        Shape (n, 4); 0 where nothing was shown.
        """
        if not len(units):
            return np.zeros((len(rows), KINDS))
        names, panel = _panel(units, self.encoding)
        moments, moment = np.unique(_micros(units["told_at"]), return_inverse=True)
        order = np.lexsort((moment, panel.customer))
        place = panel.customer * np.int64(len(moments) + 1)
        key = (place + moment)[order]
        shown = np.vstack([np.zeros(KINDS), np.cumsum(self.model.evidence(panel)[order], axis=0)])
        who = np.asarray(names.get_indexer(pd.Index(rows["customer_id"])), dtype=np.int64)
        # Of a customer nobody knows the range is empty.
        first = np.searchsorted(key, who * np.int64(len(moments) + 1))
        last = np.searchsorted(
            key, who * np.int64(len(moments) + 1) + np.searchsorted(moments, _micros(rows["known_at"]))
        )
        return np.asarray(shown[np.maximum(first, last)] - shown[first])

    def reach(self, rows: pd.DataFrame, evidence: Floats) -> Floats:
        """Return the chance that a campaign chooses each row's customer, for treatment or control: shape (n,)."""
        odds = self.encoding.arrays(rows)[2] @ self.model.reach_
        return np.asarray((self.beliefs(rows, evidence) * expit(odds)).sum(axis=1))

    def beliefs(self, rows: pd.DataFrame, evidence: Floats) -> Floats:
        """Return the chances of the kinds, shape (n, 4), by who each row's customer is and what it had shown."""
        return np.asarray(softmax(self.encoding.arrays(rows)[3] @ self.model.kinds_ + evidence, axis=1))

    def chances(self, rows: pd.DataFrame, evidence: Floats) -> tuple[Floats, Floats]:
        """Return the chances of a visit without and with the offer, shape (n,) each.

        Parameters
        ----------
        rows
            ``category, channel`` and the covariates of units.
        evidence
            What `evidence` returns of the same rows.
        """
        base, offer, _, traits = self.encoding.arrays(rows)
        return self.model.chances(softmax(traits @ self.model.kinds_ + evidence, axis=1), base, offer)


def _micros(moments: pd.Series[pd.Timestamp]) -> NDArray[np.int64]:
    return np.asarray(moments.to_numpy("datetime64[us]").astype(np.int64))


def _panel(units: pd.DataFrame, encoding: Encoding) -> tuple[pd.Index, Panel]:
    """Return the customers of units, sorted, and the panel; traits are those of a customer's last unit."""
    customer, names = pd.factorize(units["customer_id"], sort=True)
    base, offer, reach, traits = encoding.arrays(units)
    asked, held, came = (units[name].to_numpy(bool) for name in ("asked", "held", "came"))
    last = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(last, customer, np.arange(len(units)))
    targeted = units["campaign_id"].notna().to_numpy()
    return names, Panel(customer, base, offer, reach, asked, came, asked | held, targeted, traits[last])
