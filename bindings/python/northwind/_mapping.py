# SPDX-License-Identifier: Apache-2.0
"""Mappings that are dicts, as the JSON that the strict reader reads."""

from __future__ import annotations

import enum
import json
import typing


def _plain(value: typing.Any) -> typing.Any:
    """Names for members of enumerations, lists for sets; all else is left for the reader to judge."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def mapping_json(mapping: dict[str, typing.Any]) -> str:
    """A mapping of docs/parallel-run.md: legs and statuses may be members."""
    if not isinstance(mapping, dict):
        raise TypeError("a mapping is a dict or JSON")
    return json.dumps(_plain(mapping), ensure_ascii=False, separators=(",", ":"))
