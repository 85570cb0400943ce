# SPDX-License-Identifier: Apache-2.0
"""What Schemathesis is told besides the description: who asks, and the names of what there is, so that half of what it makes up reaches
something. SCHEMATHESIS_HOOKS names this module; NORTHWIND_FUZZ_KEY is the key."""
import os
import zlib

import schemathesis

# What fuzz_test.py has made.
NAMES = {"merchant": "m_1", "merchant_id": "m_1", "payout": "po_1", "endpoint": "hook", "sequence": "3", "day": "2026-07-01", "asset": "USD/2"}


@schemathesis.hook
def before_call(_context, case, _kwargs):
    # Not another credential beside it that was made up: all would end there.
    case.headers["Authorization"] = f"Bearer {os.environ['NORTHWIND_FUZZ_KEY']}"
    for cookie in list(case.cookies or ()):
        del case.cookies[cookie]
    for name in case.path_parameters or ():
        # It learns the names of keys from answers, and would end its own.
        if name == "key" and str(case.path_parameters[name]) in os.environ["NORTHWIND_FUZZ_KEY"]:
            case.path_parameters[name] = "none"
        # By what was made up, so that a seed repeats it.
        if name in NAMES and zlib.crc32(repr(case.path_parameters[name]).encode()) % 2 == 0:
            case.path_parameters[name] = NAMES[name]
