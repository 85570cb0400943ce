# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Python package share."""

import datetime

import pytest

import northwind

# Fixtures of these modules are for all tests.
from command_line import cli as cli, settled as settled
from services import postgres as postgres, queues as queues

NOON = datetime.datetime(2024, 3, 1, 12, tzinfo=datetime.timezone.utc)


class Book:
    """A ledger with one account of the outside world and two of merchants."""

    def __init__(self, path, **options):
        self.ledger = northwind.Ledger(path, **options)
        self.card = self.ledger.open_account("world:card", "USD/2", external=True)
        self.shop = self.ledger.open_account("merchant:1:available", "USD/2")
        self.other = self.ledger.open_account("merchant:2:available", "USD/2")

    def pay(self, name, amount=10_000, **fields):
        return northwind.Transaction(northwind.derive_key(name, NOON), [(self.card, self.shop, amount)], **fields)


@pytest.fixture
def book(tmp_path):
    book = Book(tmp_path / "ledger.db")
    yield book
    book.ledger.close()
