# SPDX-License-Identifier: Apache-2.0
"""What runs in the event loop when a batch that somebody awaits is durable."""

from __future__ import annotations

import asyncio
import typing


def resolve(future: asyncio.Future[typing.Any], result: object, error: BaseException | None) -> None:
    """Gives a future its answer, unless nobody waits for it any more."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
