# SPDX-License-Identifier: Apache-2.0
"""One of everything that can be closed, and every use that can be made of it, as the module and its stub say."""

import ast
import inspect
import pathlib

import northwind
from compare_world import DAY, MAPPING
from conftest import NOON
from northwind import _northwind

# All of the module that has close().
CLASSES = sorted(n for n, c in vars(_northwind).items() if inspect.isclass(c) and not n.startswith("_") and hasattr(c, "close"))


class Bank:
    def submit(self, payout):
        self.payout = payout
        return northwind.RailState.PAID

    query = submit


class Claims:
    def claim(self, request):
        return northwind.ClaimVerdict.CLAIMED

    def find(self, id):
        return None

    def publish_epoch(self, epoch):
        pass


# How each is opened, in a world that opens what it stands on.
OPENERS = {
    "Store": lambda w: northwind.Store(w.path / "store"),
    "Ledger": lambda w: northwind.Ledger(w.Store),
    "Scheduler": lambda w: northwind.Scheduler(w.Store),
    "Intake": lambda w: northwind.Intake(w.Ledger, scheduler=w.Scheduler),
    "PostgresClaims": lambda w: northwind.PostgresClaims(w.postgres),
    "Cutover": lambda w: northwind.Cutover(w.Store, "salt"),
    "ClaimedRail": lambda w: northwind.ClaimedRail(Bank(), w.PostgresClaims, w.Cutover),
    "Payouts": lambda w: northwind.Payouts(w.Ledger, w.Scheduler, w.Intake, w.ClaimedRail),
    "Webhooks": lambda w: northwind.Webhooks(w.Ledger, w.Scheduler, {"k1": bytes(range(32))}),
    "SqsSource": lambda w: northwind.SqsSource(w.Intake, "http://127.0.0.1:1/1/queue", region="eu-central-1", endpoint="http://127.0.0.1:1"),
    "Mirror": lambda w: northwind.Mirror(w.Ledger, w.postgres),
    "ParallelRun": lambda w: northwind.ParallelRun(w.Ledger, MAPPING),
    "LegacyFile": lambda w: northwind.LegacyFile(w.file(), northwind.LegacyFileFormat.CSV),
    "LegacyReader": lambda w: northwind.LegacyReader(w.postgres),
}


class World:
    """Opens what is asked for: `world.Ledger`."""

    def __init__(self, path, postgres):
        self.path, self.postgres, self.open = pathlib.Path(path), postgres, {}

    def __getattr__(self, name):
        if name not in OPENERS:
            raise AttributeError(name)
        if name not in self.open:
            opened = OPENERS[name](self)
            self.open[name] = opened  # after all that it stands on
        return self.open[name]

    def file(self):
        path = self.path / "rows.csv"
        if not path.exists():
            path.write_text("row,ref\n1,a\n2,b\n")
        return path

    def close(self):
        for opened in reversed(self.open.values()):
            opened.close()


def an_instruction(path):
    """What a rail is asked to pay; only northwind makes one."""
    bank = Bank()
    with northwind.Ledger(path) as ledger, northwind.Scheduler(ledger.store) as scheduler:
        with northwind.Intake(ledger, scheduler=scheduler) as intake, northwind.Payouts(ledger, scheduler, intake, bank) as payouts:
            kinds = northwind.EventType.PAYMENT_CAPTURED, northwind.EventType.PAYOUT_REQUESTED
            for kind, name in zip(kinds, ("payment_id", "payout_id")):
                intake.apply([northwind.PaymentEvent(kind, "m", NOON, amount=("USD/2", 5), **{name: "x"})])
            while not hasattr(bank, "payout"):
                payouts.follow_once()
                payouts.work_once()
    return bank.payout


def samples(world):
    """An argument for each type that a parameter without a default has in the stub."""
    with northwind.LegacyFile(world.file(), northwind.LegacyFileFormat.CSV) as file:
        page = file.read()
    rule = northwind.IgnoreRule(
        "r", owner="ann", reason="test", of=northwind.DiscrepancyClass.LATE, first_day=DAY, last_day=DAY, expires_at=NOON, max_count=1
    )
    return {
        "str": "x", "int": 1, "datetime.date": DAY, "_Account": 1, "_Column": 1, "_Duration": 1, "_Key | int": 1, "_Path": world.path / "new",
        "_Text": "x", "_Time": NOON, "_Task": northwind.TaskHandle(1, 1, 1), "_ClaimArbiter": Claims(),
        "Iterable[AccountSpec]": [], "Iterable[Finish]": [], "Iterable[Iterable[_Text | None]]": [], "Iterable[TaskSpec]": [],
        "Iterable[Transaction]": [], "Iterable[_Account]": [1], "Iterable[_Event]": [], "Iterable[_Text]": ["x"],
        "Iterable[bytes | QuarantinedEvent]": [], "Iterable[str]": [], "Iterable[tuple[_Text, _Text]]": [], "Mapping[_Text, _Bytes | None]": {},
        "ClaimRequest": northwind.ClaimRequest("x", "m", northwind.SettlementSystem.BATCH, 1, bytes(16)),
        "DeliveryName": northwind.DeliveryName("m", "e", "x"), "IgnoreRule": rule, "LegacyPage": page, "Override | None": None,
        "ParallelRun": world.ParallelRun, "PayoutInstruction": an_instruction(world.path / "other"), "Store": world.Store,
        "TaskSpec": northwind.TaskSpec("t", "q"), "Transaction": northwind.Transaction(bytes(16), [(1, 2, 3)]), "WebhookPolicy | None": None,
    }  # fmt: skip


STUB = ast.parse((pathlib.Path(northwind.__file__).parent / "_northwind.pyi").read_text())
# What says how it is, whether it is open or not.
ALWAYS = {"closed", "close", "path", "store"}


def uses(world):
    """(class, name, call) of every method, with the arguments that it cannot do without, and of every property."""
    values = samples(world)
    for node in STUB.body:
        if not isinstance(node, ast.ClassDef) or node.name not in CLASSES:
            continue
        for item in node.body:
            if not isinstance(item, ast.FunctionDef) or item.name.startswith("_") or item.name in ALWAYS:
                continue
            decorators = {d.id for d in item.decorator_list if isinstance(d, ast.Name)}
            opened = getattr(world, node.name)
            if "property" in decorators:
                yield node.name, item.name, lambda o=opened, n=item.name: getattr(o, n)
                continue
            arguments = item.args
            places = [a for a in arguments.posonlyargs + arguments.args if a.arg != "self"]
            needed = places[: len(places) - len(arguments.defaults)]
            needed += [a for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults) if default is None]
            types = {a.arg: ast.unparse(a.annotation) for a in needed}
            assert set(types.values()) <= set(values), f"{node.name}.{item.name}: a sample for each of {types}"
            given = {name: values[annotation] for name, annotation in types.items()}
            yield node.name, item.name + ("(static)" if "staticmethod" in decorators else ""), lambda o=opened, n=item.name, g=given: getattr(o, n)(**g)


def open_all(path, postgres):
    world = World(path, postgres)
    for name in CLASSES:
        getattr(world, name)
    return world
