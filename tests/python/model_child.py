# SPDX-License-Identifier: Apache-2.0
"""The process that model_test.py kills: a ledger that does what comes by standard input, and answers by standard output."""

import asyncio
import pickle
import sys

import northwind
from northwind import Transaction, TransactionKind

ACCOUNTS = {"world": {"external": True}, "a": {}, "b": {"min_available": -50}, "c": {}}


def key(n):
    return n.to_bytes(16, "big")


class Session:
    def __init__(self, path):
        self.path = path
        self.open()

    def open(self, **options):
        self.ledger = northwind.Ledger(self.path, checkpoint_interval=64, **options)
        self.ids = {name: self.ledger.open_account(name, "USD/2", **fields) for name, fields in ACCOUNTS.items()}

    def transaction(self, t):
        kind = TransactionKind(t["kind"])
        if kind in (TransactionKind.POST, TransactionKind.HOLD):
            postings = [(self.ids[t["debit"]], self.ids[t["credit"]], t["amount"])]
            return Transaction(key(t["key"]), postings, kind=kind)
        fields = {"amount": t["amount"], "final_capture": t["final"]} if kind == TransactionKind.CAPTURE else {}
        return Transaction(key(t["key"]), kind=kind, target=key(t["target"]), **fields)

    def commit(self, batch, how):
        batch = [self.transaction(t) for t in batch]
        if how == "one":
            results = []
            for transaction in batch:
                try:
                    results.append(self.ledger.commit(transaction))
                except northwind.TransactionError as error:
                    results.append(error.result)
        elif how == "async":

            async def main():
                return await self.ledger.commit_async(batch)

            results = asyncio.run(main())
        else:
            results = self.ledger.commit(batch)
        return [(int(r.outcome), int(r.reason)) for r in results]

    def look(self):
        balances = dict(zip(self.ids, self.ledger.balances(self.ids.values())))
        totals = {
            n: (b.available, b.debits_posted, b.credits_posted, b.debits_held, b.credits_held) for n, b in balances.items()
        }
        last = {n: next(self.ledger.history(n, reverse=True), None) for n in self.ids}
        history = {n: e.after.available if e else 0 for n, e in last.items()}
        journal = [r.sequence for r in self.ledger.journal()]
        assert journal == list(range(1, self.ledger.head.sequence + 1))
        holds = {int.from_bytes(h.key, "big"): h.remaining for n in self.ids for h in self.ledger.open_holds(n)}
        return totals, history, len(journal), holds

    def rebuild(self):
        self.ledger.close()
        self.open(rebuild_indexes=True)

    def verify(self):
        self.ledger.verify()


def main():
    session = Session(sys.argv[1])
    while True:
        try:
            name, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        pickle.dump(getattr(session, name)(*arguments), sys.stdout.buffer)
        sys.stdout.buffer.flush()


main()
