"""MBG/NBD: one may leave right after the first purchase."""

from __future__ import annotations

from typing import ClassVar

from o2o_mining.lifecycle.purchases import PurchaseProcess


class ModifiedBetaGeoNBD(PurchaseProcess):
    """The MBG/NBD model of purchases: customers may leave after any purchase, the first one too.

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
    E. P. Batislam, M. Denizel and A. Filiztekin, Empirical validation and comparison of models for customer base
    analysis, International Journal of Research in Marketing 24 (2007).

    Examples
    --------
    >>> model = ModifiedBetaGeoNBD().fit(frequency=[0, 0, 3, 5], recency=[0, 0, 30, 70], T=[90, 80, 90, 80])
    >>> bool(model.probability_alive([0], [0], [90])[0] < 1)
    True
    """

    _chances_at_first: ClassVar[int] = 1
