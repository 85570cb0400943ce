# SPDX-License-Identifier: Apache-2.0
"""Events that are dicts, as the JSON that the strict decoder reads."""

from __future__ import annotations

import datetime
import enum
import json
import typing

from .errors import InvalidArgument


def _plain(value: typing.Any) -> typing.Any:
    """Python's own types for what JSON has as text; all else is left for the decoder to judge."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise InvalidArgument("a datetime without a time zone names no moment")
        return value.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def event_json(event: dict[str, typing.Any]) -> str:
    """One event of docs/events.md: units may be int, times datetime, types and directions members."""
    return json.dumps(_plain(event), ensure_ascii=False, separators=(",", ":"))
