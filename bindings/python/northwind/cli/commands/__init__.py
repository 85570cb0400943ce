# SPDX-License-Identifier: Apache-2.0
"""One module a command. Each has NAME, HELP (a line), DESCRIPTION, EXAMPLES, arguments(parser), and run(options, output), which returns
the exit status."""

from __future__ import annotations

import types

from . import (
    accounts, balance, checkpoint, compare, completion, cutover, deadletters, doctor, export, history, import_, init, mirror, payouts, plot, quarantine,
    restore, settle, show, tail, verify,
)

COMMANDS: tuple[types.ModuleType, ...] = (
    init, settle, accounts, balance, history, show, payouts, tail, quarantine, deadletters, verify, checkpoint, restore, export, import_,
    mirror, compare, cutover, plot, doctor, completion,
)
