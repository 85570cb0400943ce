# SPDX-License-Identifier: Apache-2.0
"""examples/python/replay_day.py, as a program and cell by cell: its figures by an independent recount, its picture as a picture."""

import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys

import pytest

numpy = pytest.importorskip("numpy")
pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

import northwind  # noqa: E402

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
SOURCE = EXAMPLES / "python" / "replay_day.py"
CELL = re.compile(r"^# %%(.*)\n", re.M)


@pytest.fixture(scope="module")
def recount():
    sys.path.insert(0, str(EXAMPLES))
    try:
        import recount
    finally:
        sys.path.pop(0)
    return recount


def run(directory, *arguments):
    # matplotlib keeps its list of fonts there.
    environment = {**os.environ, "MPLCONFIGDIR": str(directory / "matplotlib")}
    return subprocess.run(
        [sys.executable, "-X", "dev", str(SOURCE), "--output", str(directory / "day.png"), *map(str, arguments)],
        capture_output=True, text=True, cwd=directory, env=environment, timeout=240,
    )


def counted(recount, path):
    """Of each merchant: available, held, paid out, in cents, as the events of a file say."""
    books, events = recount.count(path)
    figures = {}
    for name, (debits, credits, debits_held, _) in books.accounts.items():
        if name.startswith("merchant:") and name.endswith(":USD/2"):
            figures[name.split(":")[1]] = [credits - debits - debits_held, debits_held, 0]
    for (code, _), hold in books.applied.items():
        if code == recount.REQUESTED and hold.paid and hold.merchant.endswith(":USD/2"):
            figures[hold.merchant.split(":")[1]][2] += hold.paid
    return {merchant: tuple(values) for merchant, values in figures.items()}, books, events


def printed(text):
    """The table at the end of what the program prints."""
    lines = text.splitlines()
    (head,) = (place for place, line in enumerate(lines) if line.split() == ["merchant", "available", "held", "paid", "out"])
    rows = (line.split() for line in lines[head + 1 :])
    return {merchant: tuple(northwind.parse_amount(value, "USD/2") for value in values) for merchant, *values in rows}


def check_picture(path):
    """Not only a picture: curves in the colours of several merchants, in both panels, and bars below."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        pixels = numpy.asarray(image.convert("RGB")).astype(int)
    height, width, _ = pixels.shape
    assert width > 800 and height > 600
    assert len(numpy.unique(pixels.reshape(-1, 3), axis=0)) > 50
    for share, colours in ((slice(0, height // 2), 4), (slice(height // 2, height * 4 // 5), 3), (slice(height * 4 // 5, height), 1)):
        panel = pixels[share]
        # matplotlib's first four, whatever it smooths at their edges.
        seen = [(abs(panel - colour).sum(axis=2) < 12).sum() > 100 for colour in ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40))]
        assert sum(seen) >= colours, (share, seen)


def test_as_a_program(tmp_path, recount):
    end = run(tmp_path, "--save-events", tmp_path / "day.jsonl")
    assert (end.returncode, end.stderr) == (0, "")
    wanted, books, events = counted(recount, tmp_path / "day.jsonl")
    assert events > 4000 and printed(end.stdout) == wanted
    assert f"{events} events" in end.stdout and f"{books.counts['applied']} applied, " in end.stdout
    # The day has all that it is said to have.
    assert books.counts["duplicates"] > events // 20 and books.applied_by_type["PAYMENT_REFUNDED"] > 100
    states = sorted(state for state, *_ in books.payouts().values())
    assert states == ["failed", "paid", "paid", "requested"]
    assert re.search(r"\d+ parked", end.stdout)
    check_picture(tmp_path / "day.png")


def test_the_same_day_twice_and_another_one(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(tmp_path, "--payments", 200, "--seed", seed, "--save-events", tmp_path / name).returncode == 0
    same, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert same == again != other


def test_events_of_a_file(tmp_path, recount):
    """Any order, copies, and what is no event."""
    lines = [
        b'{"type":"PAYMENT_REFUNDED","payment_id":"p","refund_id":"r","occurred_at":"2024-03-01T09:00:00Z","merchant_id":"m","amount":{"asset":"USD/2","units":"40"}}',
        b'{"type":"PAYMENT_CAPTURED","payment_id":"p","occurred_at":"2024-03-01T08:00:00Z","merchant_id":"m","amount":{"asset":"USD/2","units":"100"},"fee":{"asset":"USD/2","units":"7"}}',
        b"no event \xff",
        b'{"type":"PAYOUT_REQUESTED","payout_id":"o","occurred_at":"2024-03-01T10:00:00Z","merchant_id":"m","amount":{"asset":"USD/2","units":"50"}}',
        b'{"type":"PAYOUT_PAID","payout_id":"o","occurred_at":"2024-03-01T11:00:00Z","merchant_id":"m"}',
        b'{"type":"PAYMENT_CAPTURED","payment_id":"p","occurred_at":"2024-03-01T08:00:00Z","merchant_id":"m","amount":{"asset":"USD/2","units":"100"},"fee":{"asset":"USD/2","units":"7"}}',
        b'{"type":"PAYMENT_CAPTURED","payment_id":"q","occurred_at":"2024-03-01T12:00:00Z","merchant_id":"n","amount":{"asset":"EUR/2","units":"5"}}',
    ]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    end = run(tmp_path, "--events", path, "--save-events", tmp_path / "saved.jsonl", "--store", tmp_path / "kept.db")
    assert (end.returncode, end.stderr) == (0, "")
    assert (tmp_path / "saved.jsonl").read_bytes() == path.read_bytes()
    assert printed(end.stdout) == counted(recount, path)[0] == {"m": (3, 0, 50)}
    assert "1 quarantined" in end.stdout
    with northwind.Ledger(tmp_path / "kept.db") as ledger:
        assert ledger.balance("merchant:m:available:USD/2").available == 3


def test_cell_by_cell(tmp_path, recount, monkeypatch):
    """As a notebook runs it: one cell after the other, in one namespace, with the arguments of a kernel."""
    parts = CELL.split(SOURCE.read_text())
    assert parts[0] == "# SPDX-License-Identifier: Apache-2.0\n"
    kinds, cells = parts[1::2], parts[2::2]
    assert set(kinds) == {"", " [markdown]"} and kinds[0] == " [markdown]"
    for kind, cell in zip(kinds, cells):
        if kind:
            assert all(line.startswith("#") for line in cell.strip().splitlines())
    assert kinds.count("") >= 6
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    monkeypatch.setitem(sys.modules, "ipykernel", pytest)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    namespace = {"__name__": "__main__"}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for number, (kind, cell) in enumerate(zip(kinds, cells)):
            if not kind:
                # The future of annotations is the notebook's, from the cell on that asks for it.
                flags = getattr(namespace.get("annotations"), "compiler_flag", 0)
                exec(compile(cell, f"cell {number}", "exec", flags, True), namespace)
    (tmp_path / "lines").write_text("".join(line + "\n" for line in namespace["lines"]))
    wanted, books, _ = counted(recount, tmp_path / "lines")
    assert printed(out.getvalue()) == wanted
    assert namespace["report"].transactions_applied == books.counts["applied"] == namespace["per_bin"].sum()
    assert namespace["ledger"].closed and not pathlib.Path(namespace["directory"].name).exists()
    check_picture(tmp_path / "replay_day.png")
