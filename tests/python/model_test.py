# SPDX-License-Identifier: Apache-2.0
"""Random histories against a model of docs/ledger.md in Python, with the ledger reopened, copied, rebuilt and killed between.

The process that holds the ledger is a child, so that it can be killed. Repeat a failure with the seed that Hypothesis prints:
python -m pytest model_test.py --hypothesis-seed=N
"""

import copy
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import tempfile

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from northwind import Outcome, Reason, TransactionKind

OPS = int(os.environ.get("NORTHWIND_TEST_OPS", 40))
EXAMPLES = int(os.environ.get("NORTHWIND_TEST_EXAMPLES", 12))
ACCOUNTS = ["world", "a", "b", "c"]  # the first is external
LIMITS = {"a": 0, "b": -50, "c": 0}


class Child:
    """A process that runs what it is told on one ledger."""

    def __init__(self, directory):
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).parent / "model_child.py"), directory],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def ask(self, *request):
        pickle.dump(request, self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def tell(self, *request):
        pickle.dump(request, self.process.stdin)
        self.process.stdin.flush()

    def end(self, how):
        if how == "kill":
            self.process.send_signal(signal.SIGKILL)
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        if how != "kill":
            assert self.process.returncode == 0


class Account:
    def __init__(self, limit):
        self.limit = limit
        self.dp = self.cp = self.dh = self.ch = 0

    @property
    def available(self):
        return self.cp - self.dp - self.dh


class Model:
    """Post, hold, capture, release and reverse, one posting each, and what a key has come to."""

    def __init__(self):
        self.accounts = {name: Account(LIMITS.get(name)) for name in ACCOUNTS}
        self.keys = {}  # key -> (content, outcome, reason)
        self.holds = {}  # key -> [debit, credit, remaining, open]
        self.moves = {}  # key of a post or capture -> [debit, credit, not yet reversed]

    def commit(self, t):
        key, content = t["key"], tuple(sorted(t.items()))
        if key in self.keys:
            known, outcome, reason = self.keys[key]
            if known != content:
                return Outcome.CONFLICT, Reason.NONE
            return Outcome.DUPLICATE, reason
        outcome, reason = self.decide(t)
        if outcome in (Outcome.APPLIED, Outcome.REJECTED):
            self.keys[key] = (content, outcome, reason)
        return outcome, reason

    def short(self, name, amount):
        account = self.accounts[name]
        return account.limit is not None and account.available - amount < account.limit

    def decide(self, t):
        kind = TransactionKind(t["kind"])
        if kind in (TransactionKind.POST, TransactionKind.HOLD):
            debit, credit, amount = t["debit"], t["credit"], t["amount"]
            if self.short(debit, amount):
                return Outcome.REJECTED, Reason.INSUFFICIENT_FUNDS
            if kind == TransactionKind.POST:
                self.accounts[debit].dp += amount
                self.accounts[credit].cp += amount
                self.moves[t["key"]] = [debit, credit, amount]
            else:
                self.accounts[debit].dh += amount
                self.accounts[credit].ch += amount
                self.holds[t["key"]] = [debit, credit, amount, True]
            return Outcome.APPLIED, Reason.NONE
        target = t["target"]
        if target not in self.keys:
            return Outcome.DEFERRED, Reason.TARGET_NOT_FOUND
        if kind == TransactionKind.REVERSE:
            return self.reverse(t, target)
        if target not in self.holds:
            return Outcome.REJECTED, Reason.TARGET_MISMATCH
        hold = self.holds[target]
        debit, credit, remaining, is_open = hold
        if not is_open:
            return Outcome.REJECTED, Reason.TARGET_RESOLVED
        if kind == TransactionKind.RELEASE:
            captured, released = 0, remaining
        else:
            captured = t["amount"] or remaining
            if captured > remaining:
                return Outcome.REJECTED, Reason.EXCEEDS_TARGET
            released = remaining - captured if t["final"] else 0
        self.accounts[debit].dh -= captured + released
        self.accounts[credit].ch -= captured + released
        self.accounts[debit].dp += captured
        self.accounts[credit].cp += captured
        hold[2] -= captured + released
        hold[3] = hold[2] > 0
        if kind == TransactionKind.CAPTURE:
            self.moves[t["key"]] = [debit, credit, captured]
        return Outcome.APPLIED, Reason.NONE

    def reverse(self, t, target):
        if target not in self.moves:
            return Outcome.REJECTED, Reason.TARGET_MISMATCH
        debit, credit, rest = self.moves[target]
        if rest == 0:
            return Outcome.REJECTED, Reason.TARGET_RESOLVED
        amount = t["amount"] or rest
        if amount > rest:
            return Outcome.REJECTED, Reason.EXCEEDS_TARGET
        if self.short(credit, amount):
            return Outcome.REJECTED, Reason.INSUFFICIENT_FUNDS
        self.accounts[credit].dp += amount
        self.accounts[debit].cp += amount
        self.moves[target][2] -= amount
        return Outcome.APPLIED, Reason.NONE

    def totals(self):
        return {n: (a.available, a.dp, a.cp, a.dh, a.ch) for n, a in self.accounts.items()}


keys = st.integers(0, 40)
amounts = st.one_of(st.integers(1, 100), st.just(2**64), st.just(2**100))
pairs = st.permutations(ACCOUNTS).map(lambda names: names[:2])


@st.composite
def transactions(draw):
    kind = draw(st.sampled_from(list(TransactionKind)))
    t = {"key": draw(keys), "kind": int(kind)}
    if kind in (TransactionKind.POST, TransactionKind.HOLD):
        t["debit"], t["credit"] = draw(pairs)
        t["amount"] = draw(amounts)
        return t
    t["target"] = draw(keys.filter(lambda k: k != t["key"]))
    if kind == TransactionKind.CAPTURE:
        t["amount"], t["final"] = draw(st.integers(0, 100)), draw(st.booleans())
    if kind == TransactionKind.REVERSE:
        t["amount"] = 0
    return t


class LedgerMachine(RuleBasedStateMachine):
    @initialize()
    def open(self):
        self.directory = tempfile.TemporaryDirectory()
        self.model = Model()
        self.child = Child(self.directory.name + "/l")

    def teardown(self):
        if hasattr(self, "child"):
            self.child.ask("verify")
            self.child.end("close")
            self.directory.cleanup()

    @rule(batch=st.lists(transactions(), min_size=1, max_size=20), how=st.sampled_from(["list", "one", "async"]))
    def commit(self, batch, how):
        answers = self.child.ask("commit", batch, how)
        assert answers == [(int(o), int(r)) for o, r in map(self.model.commit, batch)]

    @rule(batch=st.lists(transactions(), min_size=1, max_size=20))
    def die_while_committing(self, batch):
        """What the batch came to is unknown to who sent it; all of it happened, or nothing. Sent again, it tells."""
        self.child.tell("commit", batch, "list")
        self.child.end("kill")
        self.child = Child(self.directory.name + "/l")
        answers = [(Outcome(o), Reason(r)) for o, r in self.child.ask("commit", batch, "list")]
        # Either it comes for the first time, or for the second: what was deferred then may be possible now.
        once = copy.deepcopy(self.model)
        first = [once.commit(t) for t in batch]
        twice = copy.deepcopy(once)
        second = [twice.commit(t) for t in batch]
        assert answers in (first, second)
        self.model = once if answers == first else twice

    @rule(how=st.sampled_from(["close", "kill", "exit"]))
    def reopen(self, how):
        self.child.end(how)
        self.child = Child(self.directory.name + "/l")

    @rule()
    def rebuild(self):
        self.child.ask("rebuild")

    @invariant()
    def everything_is_as_the_model_says(self):
        if not hasattr(self, "child"):
            return
        totals, history, journal, holds = self.child.ask("look")
        assert totals == self.model.totals()
        # The same, from history and from the journal.
        for name in ACCOUNTS:
            assert history[name] == (totals[name][0] if name in history else 0), name
        assert journal == len(self.model.keys) + len(ACCOUNTS)
        assert holds == {k: h[2] for k, h in self.model.holds.items() if h[3]}


LedgerMachine.TestCase.settings = hypothesis.settings(
    max_examples=EXAMPLES, stateful_step_count=OPS, deadline=None, database=None, print_blob=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
TestLedger = LedgerMachine.TestCase
