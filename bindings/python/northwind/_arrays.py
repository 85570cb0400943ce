# SPDX-License-Identifier: Apache-2.0
"""What Ledger.journal_arrays returns."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    import numpy
    import numpy.typing


class JournalArrays(typing.NamedTuple):
    """Records of the journal, and what they moved.

    `records[i]` has `records["postings"][i]` rows of `postings`, from `records["first_posting"][i]` on. Amounts have 128 bits:
    `amount` has the lower 64, `amount_high` the upper ones, which are 0 for all amounts below 2^64.
    """

    records: numpy.typing.NDArray[numpy.void]
    postings: numpy.typing.NDArray[numpy.void]
