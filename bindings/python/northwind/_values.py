# SPDX-License-Identifier: Apache-2.0
"""What pickles of northwind's values are read by."""

from __future__ import annotations

import typing


def restore(cls: typing.Any, state: tuple[typing.Any, ...]) -> object:
    """A value of that class, as it was when it was pickled. Pickles are read by the version that made them."""
    return cls._restore(state)
