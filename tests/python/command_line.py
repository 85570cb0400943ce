# SPDX-License-Identifier: Apache-2.0
"""The command line, run as a program; for the tests in cli/."""

import json
import os
import subprocess
import sys

import pytest

EVENTS = [
    {"type": "PAYMENT_CAPTURED", "payment_id": "pay_1", "occurred_at": "2024-03-01T12:00:00.25Z", "merchant_id": "m_42",
     "amount": {"asset": "USD/2", "units": "10000"}, "fee": {"asset": "USD/2", "units": "320"}},
    {"type": "PAYMENT_CAPTURED", "payment_id": "pay_2", "occurred_at": "2024-03-01T12:00:01Z", "merchant_id": "m_42",
     "amount": {"asset": "JPY/0", "units": "900"}},
    {"type": "PAYMENT_REFUNDED", "payment_id": "pay_1", "refund_id": "r_1", "occurred_at": "2024-03-01T13:00:00Z", "merchant_id": "m_42",
     "amount": {"asset": "USD/2", "units": "2000"}},
    {"type": "PAYOUT_REQUESTED", "payout_id": "po_1", "occurred_at": "2024-03-02T12:00:00Z", "merchant_id": "m_42",
     "amount": {"asset": "USD/2", "units": "5000"}},
]
SHOP = "merchant:m_42:available:USD/2"


def lines(events):
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


class End:
    """How a run of the program ended."""

    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout.decode(), process.stderr.decode()

    def json(self):
        return json.loads(self.out)

    def rows(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Cli:
    """Runs `python -m northwind` on a store of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.store = directory / "ledger.db"
        self.environment = {**os.environ, "NORTHWIND_STORE": str(self.store), "LC_ALL": "C.UTF-8", "COLUMNS": "80", "NO_COLOR": "1"}
        self.command = [sys.executable, "-X", "dev", "-m", "northwind"]

    def __call__(self, *arguments, status=0, input=b"", **options):
        process = subprocess.run(
            [*self.command, *map(str, arguments)], input=input, capture_output=True, cwd=self.directory, env=self.environment, timeout=240,
            **options,
        )
        end = End(process)
        assert end.status == status, (end.status, end.out, end.err)
        assert "Traceback" not in end.err and "Warning" not in end.err, end.err
        if status == 0:
            assert not end.err.startswith("northwind: error")
        return end

    def start(self, *arguments, **options):
        return subprocess.Popen(
            [*self.command, *map(str, arguments)], cwd=self.directory, env=self.environment, text=True, **options
        )

    def settle(self, events=EVENTS, **options):
        return self("settle", "-", input=lines(events), **options)

    def complains(self, *arguments, status, input=b""):
        """Fails with one sentence on standard error, and nothing else; returns the sentence."""
        end = self(*arguments, status=status, input=input)
        assert end.out == "" and end.err.count("\n") == 1 and end.err.startswith("northwind"), (end.out, end.err)
        return end.err.strip()


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path)


@pytest.fixture
def settled(cli):
    """A store to which EVENTS were applied: 26.80 USD, 50.00 more that are held, and 900 JPY of one merchant."""
    cli.settle()
    return cli
