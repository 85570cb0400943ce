# SPDX-License-Identifier: Apache-2.0
"""northwind export for plain-text accounting: hledger and ledger read it, and their balances are ours.

NORTHWIND_TEST_OPS transactions (20,000), by NORTHWIND_TEST_SEED.
"""

import csv
import datetime
import decimal
import io
import os
import random
import shutil
import subprocess
import time
import urllib.parse

import northwind
import pytest
from northwind.cli.plain_text import Commodities, account_name, description

OPS = int(float(os.environ.get("NORTHWIND_TEST_OPS") or 20_000))
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or time.time_ns() % 1_000_000_000)
ASSETS = ("USD/2", "USD/4", "EUR/2", "JPY/0", "KWD/3", "BTC/8", "X1/18")
BEGIN = 1_704_067_200 * 10**9  # 2024-01-01
DAY = 86_400 * 10**9
# Names that mean something to the programs which read them, or nearly so.
ODD = (
    "a", "a:b", "a:b:c", ":a", "a:", "a::b", "(virtual)", "[virtual]", "<deferred>", "*", "!", ";note", "x;y", "x|y", "%41", "A", "x%3Ay",
    '"quoted"', "{lot}", "~", "=", "x=y", "#", "-", "@", "$", "x$5", "1", "2024-01-01", "account", "Assets:Cash", "'", "\\", "x&y", "`",
)


def decimal_of(units, asset):
    return decimal.Decimal(units).scaleb(-int(asset.split("/")[1]), decimal.Context(prec=60))


class Books:
    """Random transactions of every kind over a year, and what they come to at the end of every day."""

    def __init__(self, path, count, seed):
        self.random = random.Random(seed)
        self.now = BEGIN
        self.ledger = northwind.Ledger(path, clock=lambda: self.now)
        self.accounts = {}
        for asset in ASSETS:
            names = [f"{name}:{asset}" if name[-1:] != ":" else f"{asset}{name}" for name in ("world", "bank", *(f"m:{n}:available" for n in range(40)))]
            if asset == "USD/2":
                names += ODD
            specs = [northwind.AccountSpec(name, asset, external=self.random.random() < 0.3 or "world" in name) for name in names]
            self.accounts[asset] = self.ledger.open_accounts(specs)
        self.holds, self.posts, self.serial = [], [], 0
        made = 0
        while made < count:
            batch = [self._transaction() for _ in range(min(500, count - made))]
            self.ledger.commit(batch)
            made += len(batch)
            self.now += 366 * DAY * len(batch) // count

    def _key(self):
        self.serial += 1
        return self.serial.to_bytes(16, "big")

    def _amount(self):
        return self.random.choice((1, self.random.randrange(1, 100), self.random.randrange(1, 10**7), self.random.randrange(1, 10**24)))

    def _pair(self, asset):
        # Mostly out of the world, so that accounts have something.
        if self.random.random() < 0.5:
            return self.accounts[asset][0], self.random.choice(self.accounts[asset][1:])
        return self.random.sample(self.accounts[asset], 2)

    def _postings(self):
        for _ in range(self.random.choice((1, 1, 2, 3))):
            yield (*self._pair(self.random.choice(ASSETS)), self._amount())

    def _transaction(self):
        pick, key = self.random.random(), self._key()
        kinds = northwind.TransactionKind
        reference = self.random.choice(("", f"pay_{self.serial}", "a  b; c | d", "é\n%", " x "))
        if pick < 0.6 or not self.holds or not self.posts:
            self.posts.append(key)
            if not self.holds:
                self.holds.append(key)
            return northwind.Transaction(key, self._postings(), code=self.random.randrange(3), reference=reference)
        if pick < 0.75:
            self.holds.append(key)
            expires = self.now + 30 * DAY if self.random.random() < 0.3 else None
            return northwind.Transaction(
                key, [(*self._pair(self.random.choice(ASSETS)), self._amount())], kind=kinds.HOLD, expires_at=expires, reference=reference
            )
        if pick < 0.87:
            return northwind.Transaction(
                key, kind=kinds.CAPTURE, target=self.random.choice(self.holds[-50:]), amount=self.random.choice((0, 1)),
                final_capture=self.random.random() < 0.5,
            )
        if pick < 0.92:
            return northwind.Transaction(key, kind=kinds.RELEASE, target=self.random.choice(self.holds[-50:]))
        return northwind.Transaction(key, kind=kinds.REVERSE, target=self.random.choice(self.posts[-50:]), reference=reference)

    def posted(self, at=None):
        """By name and asset, debits positive, without accounts at zero."""
        found = {}
        for account in self.ledger.accounts():
            balance = account.balance if at is None else self.ledger.balance(account, at=at)
            if balance.posted:
                found[account.name, account.asset] = decimal_of(-balance.posted, account.asset)
        return found


def program(name, *arguments):
    if shutil.which(name) is None:
        pytest.fail(f"{name} is missing: scripts/bootstrap installs it")
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}
    end = subprocess.run([name, *arguments], capture_output=True, text=True, env=environment, timeout=540)
    assert (end.returncode, end.stderr) == (0, ""), (end.returncode, end.stderr[:2000])
    return end.stdout


def amount_of(text, by_commodity):
    """`USD 12.34` or `"USD/4" 12.3400`; exact, as many digits as the asset has."""
    commodity, number = text.rsplit(" ", 1)
    asset = by_commodity[commodity.strip('"')]
    assert len(number.partition(".")[2]) == int(asset.split("/")[1]), text
    return asset, decimal.Decimal(number)


def names_of(assets):
    return {Commodities(assets).name(asset).strip('"'): asset for asset in assets}


def by_hledger(path, *arguments):
    rows = csv.DictReader(io.StringIO(program("hledger", "-f", str(path), "balance", "--flat", "-N", "-O", "csv", *arguments)))
    found = {}
    for row in rows:
        asset, number = amount_of(row["balance"], names_of(ASSETS))
        found[urllib.parse.unquote(row["account"]), asset] = number
    return found


def by_ledger(path, *arguments):
    """Those of accounts themselves, without what is below them."""
    text = program(
        "ledger", "--args-only", "-f", str(path), "balance", "--flat", "--no-total", "--balance-format", "%(account)\t%(scrub(amount))\n",
        *arguments,
    )
    found = {}
    for line in text.splitlines():
        account, balance = line.split("\t")
        if balance.strip() not in ("", "0"):
            asset, number = amount_of(balance.strip(), names_of(ASSETS))
            found[urllib.parse.unquote(account), asset] = number
    return found


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    print(f"NORTHWIND_TEST_SEED={SEED} NORTHWIND_TEST_OPS={OPS}")
    directory = tmp_path_factory.mktemp("books")
    made = Books(directory / "ledger.db", OPS, SEED)
    made.kinds = {
        record.transaction.kind for record in made.ledger.journal()
        if isinstance(record, northwind.TransactionRecorded) and record.outcome is northwind.Outcome.APPLIED
    }
    made.balances = made.posted()
    made.days = {day: made.posted(at=datetime.datetime.fromtimestamp((BEGIN + (day + 1) * DAY) // 10**9, datetime.timezone.utc)
                                  - datetime.timedelta(microseconds=1)) for day in (0, 100, 250)}
    made.open_holds = made.ledger.stats().open_holds
    made.ledger.close()
    made.ledger.store.close()
    from command_line import Cli

    made.cli = Cli(directory)
    made.path = directory / "books.journal"
    made.cli("export", "--format", "hledger", "--assertions", "-o", made.path)
    return made


def test_there_is_something_of_everything(books):
    assert books.kinds == set(northwind.TransactionKind)
    assert {asset for _, asset in books.balances} == set(ASSETS) and len(books.balances) > 200
    assert books.open_holds > 0


def test_hledger_has_our_balances(books):
    assert by_hledger(books.path) == books.balances


def test_ledger_has_our_balances(books):
    assert by_ledger(books.path) == books.balances


def test_hledger_finds_all_accounts_and_commodities_declared(books):
    program("hledger", "-f", str(books.path), "check", "--strict", "ordereddates")


@pytest.mark.parametrize("day", [0, 100, 250])
def test_hledger_has_our_balances_at_the_end_of_a_day(books, day):
    after = datetime.date(2024, 1, 1) + datetime.timedelta(days=day + 1)
    assert by_hledger(books.path, "--end", after.isoformat()) == books.days[day]


def test_a_balance_that_is_wrong_is_found_by_both(books, tmp_path):
    """The assertions are the ledger's own balances, not a sum of what was written."""
    lines = books.path.read_text().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if line.startswith("    world:") and " 0" not in line)
    commodity, number = lines[place].split("  ")[-1].strip().rsplit(" ", 1)
    changed = decimal.Decimal(number) + decimal.Decimal(1).scaleb(decimal.Decimal(number).as_tuple().exponent)
    other = next(n for n in (place - 1, place + 1) if lines[n].startswith("    ") and commodity in lines[n])
    lines[place] = lines[place].replace(number, f"{changed:f}")
    bare = decimal.Decimal(lines[other].split("  ")[-1].strip().rsplit(" ", 1)[1])
    lines[other] = lines[other].replace(f"{bare:f}", f"{-changed:f}")
    wrong = tmp_path / "wrong.journal"
    wrong.write_text("".join(lines))
    for name in ("hledger", "ledger"):
        end = subprocess.run([name, "-f", str(wrong), "balance"], capture_output=True, text=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
        assert end.returncode != 0 and "assertion" in end.stderr.lower(), (name, end.stderr[:500])


def test_credits_positive_and_the_date_of_the_business(cli):
    with northwind.Ledger(cli.store, clock=lambda: BEGIN + 40 * DAY) as ledger:
        card, shop = ledger.open_account("card", "JPY/0", external=True), ledger.open_account("shop", "JPY/0")
        ledger.commit(northwind.Transaction(bytes(16), [(card, shop, 7)], effective_at=BEGIN, reference="r"))
    cli("export", "--format", "ledger", "--positive", "credits", "--date", "effective", "--assertions", "-o", "books")
    path = cli.directory / "books"
    assert by_hledger(path) == by_ledger(path) == {("card", "JPY/0"): -7, ("shop", "JPY/0"): 7}
    assert by_hledger(path, "--end", "2024-01-02") == {("card", "JPY/0"): -7, ("shop", "JPY/0"): 7}
    cli("export", "--format", "ledger", "-o", "books")
    assert by_hledger(path, "--end", "2024-02-10") == {}


def test_an_empty_ledger(cli):
    cli("init")
    cli("export", "--format", "ledger", "--assertions", "-o", "books")
    assert by_hledger(cli.directory / "books") == {}


def test_names_are_one_to_one():
    assert len({account_name(name) for name in ODD}) == len(ODD)
    assert all(urllib.parse.unquote(account_name(name)) == name for name in ODD)
    assert account_name("merchant:m_42:available:USD/2") == "merchant:m_42:available:USD/2"
    assert account_name("::") == "%3A%3A" and account_name("a::b") == "a:%3Ab"
    assert description(" a  b;\x1b\udcff") == "%20a %20b%3B%1B%FF"
