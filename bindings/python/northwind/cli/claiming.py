# SPDX-License-Identifier: Apache-2.0
"""The claims of a cutover, which are in a PostgreSQL that the batch reaches as well."""

from __future__ import annotations

import argparse
import contextlib
import os
import typing

import northwind

from . import exits

VARIABLE = "NORTHWIND_CLAIMS_CONNECTION"


def settings(page: argparse.ArgumentParser) -> None:
    """The variable is that of the reference server."""
    group = page.add_argument_group("claims, in PostgreSQL")
    group.add_argument("--claims", metavar="CONNECTION", help=f"where they are (default: ${VARIABLE})")
    group.add_argument("--schema", metavar="NAME", default="northwind_claims", help="their schema (default: northwind_claims)")


def connection_of(options: argparse.Namespace) -> str | None:
    return options.claims or os.environ.get(VARIABLE) or None


def needed(options: argparse.Namespace) -> str:
    connection = connection_of(options)
    if connection is None:
        raise exits.Complaint(exits.USAGE, f"where are the claims? Give --claims, or set {VARIABLE}")
    return connection


@contextlib.contextmanager
def claims(options: argparse.Namespace) -> typing.Iterator[northwind.PostgresClaims]:
    opened = northwind.PostgresClaims(needed(options), schema=options.schema)
    yield opened
    # Not after an error: what has it still uses them, and closing would hide it.
    opened.close()
