"""Windows to learn from: what was known then, and what is known now of the purchases made then."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from o2o_mining.contracts.features import FEATURES
from o2o_mining.lifecycle.learning import learning_windows
from o2o_mining.lifecycle.visits import Visits

DAY, AS_OF = date(2024, 6, 1), date(2024, 12, 1)


def _visits() -> Visits:
    """Return purchases of 60 customers until the day, of which every third comes again after it."""
    chance = np.random.default_rng(1)
    rows = [
        (f"c{i:02}", pd.Timestamp(DAY) - timedelta(days=int(days)))
        for i in range(60)
        for days in chance.integers(1, 200, 1 + i % 4)
    ]
    rows += [(f"c{i:02}", pd.Timestamp(DAY) + timedelta(days=10)) for i in range(0, 60, 3)]
    table = pd.DataFrame(rows, columns=["customer_id", "purchased_at"])
    return Visits.of(table.assign(net_amount=5.0, offered=False))


def test_a_customer_whose_only_order_was_cancelled_since_is_not_learned_from() -> None:
    visits = _visits()
    # As was known on the day, two more had bought; one of them has bought since, the other never.
    late = pd.DataFrame(
        {"customer_id": ["new"], "purchased_at": [pd.Timestamp(DAY) + timedelta(days=3)], "net_amount": 5.0}
    )
    known = pd.DataFrame(
        {
            "customer_id": np.r_[visits.customers[visits.code], late["customer_id"]],
            "purchased_at": [*(pd.Timestamp(0) + pd.to_timedelta(visits.day, unit="D")), late["purchased_at"].iloc[0]],
        }
    ).assign(net_amount=5.0, offered=False)
    names = [*visits.customers, "new", "zoe"]
    past = pd.DataFrame(1.0, index=range(len(names)), columns=[column.name for column in FEATURES])
    past = past.assign(known_on=DAY, customer_id=names)
    windows = learning_windows(past, Visits.of(known), as_of=AS_OF, horizon_days=90)
    assert windows is not None
    assert windows.inputs.index.tolist() == visits.customers.tolist()
    assert int((~windows.churned).sum()) == 20
