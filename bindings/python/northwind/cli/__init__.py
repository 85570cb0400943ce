# SPDX-License-Identifier: Apache-2.0
"""The command line `northwind`; docs/cli.md. Argparse and the standard library are all it needs."""

from __future__ import annotations

from .program import main as main

__all__ = ["main"]
