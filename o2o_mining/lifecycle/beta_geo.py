"""BG/NBD: who bought once is there for certain."""

from __future__ import annotations

from typing import ClassVar

from o2o_mining.lifecycle.purchases import PurchaseProcess


class BetaGeoNBD(PurchaseProcess):
    """The BG/NBD model of purchases: customers may leave after any purchase but the first.

    Who bought once is alive for certain under it: where many buy once and never again, take `ModifiedBetaGeoNBD`.

    Parameters
    ----------
    penalizer
        How much the squared logarithms of the parameters are held down, per customer; 0 for maximum likelihood.

    Attributes
    ----------
    params_
        ``r, alpha, a, b``: shape and rate of the gamma distributed rates, and the beta distributed chances of leaving.
    log_likelihood_
        Of the data, summed over customers.

    References
    ----------
    P. S. Fader, B. G. S. Hardie and K. L. Lee, "Counting your customers" the easy way: an alternative to the
    Pareto/NBD model, Marketing Science 24 (2005).

    Examples
    --------
    >>> model = BetaGeoNBD().fit(frequency=[0, 0, 3, 5], recency=[0, 0, 30, 70], T=[90, 80, 90, 80])
    >>> model.probability_alive([0], [0], [90]).tolist()
    [1.0]
    """

    _chances_at_first: ClassVar[int] = 0
