"""Which message led to this visit, and what became of it?

Mints the codes that messages carry and tills read, puts them into links and QR pictures, and tells the whole life of
one order from the published snapshot.

Tables read (all published): ``touches``, ``sends``, ``coupon_receipts``, ``online_orders``, ``offline_redemptions``,
``coupon_redemptions``, ``purchases``, ``coupon_lifecycle``, ``journey_touches``, ``attribution_ledger``; and the
manifests of the home's ``exports``. Tables owned: none. ``sends.tracking_code`` is written where a plan is approved.
"""

from o2o_mining.tracking.codes import (
    CodeError,
    ExpiredCodeError,
    ForeignCodeError,
    ForgedCodeError,
    MistypedCodeError,
    TrackingCode,
    mint,
    mint_many,
    read,
)
from o2o_mining.tracking.keys import Keys, make_keys, read_keys, turn_key
from o2o_mining.tracking.links import link
from o2o_mining.tracking.pictures import save_qr
from o2o_mining.tracking.tracing import Trace, trace

__all__ = [
    "CodeError",
    "ExpiredCodeError",
    "ForeignCodeError",
    "ForgedCodeError",
    "Keys",
    "MistypedCodeError",
    "Trace",
    "TrackingCode",
    "link",
    "make_keys",
    "mint",
    "mint_many",
    "read",
    "read_keys",
    "save_qr",
    "trace",
    "turn_key",
]
