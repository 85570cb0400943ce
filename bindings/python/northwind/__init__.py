# SPDX-License-Identifier: Apache-2.0
"""northwind: an embeddable, idempotent double-entry payments ledger.

    import northwind

    with northwind.Ledger("ledger.db") as ledger:
        card = ledger.open_account("world:card", "USD/2", external=True)
        shop = ledger.open_account("merchant:42:available", "USD/2")
        key = northwind.derive_key("pay_1", occurred_at)
        ledger.commit(northwind.Transaction(key, [(card, shop, 10_000)]))
        ledger.balance(shop).available   # 10_000, however often that is committed

Money is `int` in minor units, times are aware `datetime`s, keys are `bytes` or `uuid.UUID`. See docs/python.md.
"""

from __future__ import annotations

from ._northwind import *  # noqa: F403
from ._northwind import __version__ as __version__
from .enums import *  # noqa: F403
from .errors import *  # noqa: F403
