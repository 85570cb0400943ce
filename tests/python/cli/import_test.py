# SPDX-License-Identifier: Apache-2.0
"""northwind import."""

import json

import northwind
import pytest

OPEN = [
    {"record": "account_opened", "account": "card", "asset": "USD/2", "external": True},
    {"record": "account_opened", "account": "shop", "asset": "USD/2", "min_available": "-5"},
]


def posting(units, debit="card", credit="shop"):
    return {"debit": debit, "credit": credit, "units": str(units)}


def transaction(n, *postings, **fields):
    return {"record": "transaction", "key": f"{n:032x}", **({"postings": list(postings)} if postings else {}), **fields}


def imported(cli, rows, *arguments, **options):
    text = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return cli("import", "-", "--json", *arguments, input=text, **options)


def test_transactions_of_every_kind_are_applied_once(cli):
    rows = OPEN + [
        transaction(1, posting(100), code=7, reference="one", unique_reference=True, metadata="note",
                    effective_at="2024-03-01T00:00:00.123456789Z"),
        transaction(2, posting(50), kind="hold", reference_hex="ff", expires_at="2200-01-01T00:00:00Z"),
        transaction(3, kind="capture", target={"key": f"{2:032x}"}, amount="20", final_capture=True),
        transaction(4, posting(9), kind="hold", code=3, reference="later"),
        transaction(5, kind="release", target={"code": 3, "reference": "later"}),
        transaction(6, posting(30, "shop", "card"), kind="reverse", target={"code": 7, "reference": "one"}, metadata_hex="ff00"),
        {"record": "account_changed", "account": "shop", "state": "frozen", "min_available": "-9"},
    ]
    first = imported(cli, rows).json()
    assert (first["accounts"], first["applied"], first["duplicates"], first["refused"]) == (2, 6, 0, [])
    again = imported(cli, rows).json()
    assert (again["applied"], again["duplicates"]) == (0, 6)
    account = cli("accounts", "shop", "--json").json()
    assert (account["posted"], account["debits_held"], account["state"], account["min_available"]) == ("90", "0", "frozen", "-9")
    with northwind.Ledger(cli.store) as ledger:
        [one] = ledger.find_by_reference(7, "one")
        assert one.record.transaction.effective_at_ns == 1_709_251_200_123_456_789
        assert ledger.transaction(f"{2:032x}").record.transaction.reference == b"\xff".decode("utf-8", "surrogateescape")
        assert ledger.transaction(f"{6:032x}").record.transaction.metadata == b"\xff\0"


def test_what_was_exported_comes_back(settled):
    settled("import", "-", "-s", "again.db", input=settled("export").out.encode())
    assert settled("accounts", "-s", "again.db").out == settled("accounts").out
    first = {row["key"]: row for row in settled("export").rows() if row["record"] == "transaction"}
    second = {row["key"]: row for row in settled("export", "-s", "again.db").rows() if row["record"] == "transaction"}
    for row in [*first.values(), *second.values()]:
        del row["recorded_at"], row["sequence"]
        row.pop("target_sequence", None)
    assert first == second


def test_what_was_rejected_there_is_left_out(cli):
    rejected = transaction(1, posting(5), outcome="rejected", reason="insufficient_funds")
    end = imported(cli, [*OPEN, rejected, transaction(2, posting(3))]).json()
    assert (end["applied"], end["left_out"]) == (1, 1)
    assert cli("balance", "shop", "--json").json()["posted"] == "3"


def test_many_are_applied_in_order_across_batches(cli):
    count = 1234
    rows = OPEN + [transaction(n, posting(n)) for n in range(1, count)]
    assert imported(cli, rows).json()["applied"] == count - 1
    assert cli("balance", "shop", "--json").json()["posted"] == str(sum(range(count)))


def test_one_that_is_refused_is_named(cli):
    rows = OPEN + [transaction(1, posting(10)), transaction(1, posting(11)), transaction(2, posting(500, "shop", "card"))]
    end = imported(cli, rows, status=1).json()
    assert [(row["line"], row["outcome"], row["why"]) for row in end["refused"]] == [
        (4, "conflict", "postings"), (5, "rejected", "insufficient_funds")
    ]
    assert end["applied"] == 1
    text = cli("import", "-", status=1, input=b"".join(json.dumps(row).encode() + b"\n" for row in rows)).out
    assert "   4  conflict  postings\n   5  rejected  insufficient_funds" in text


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (transaction(1, posting(1.5)), "units is missing, or no whole number"),
        ({**transaction(1), "postings": [{"debit": "card", "credit": "shop", "units": 1.5}]}, "1.5 is no whole number"),
        ({**transaction(1), "postings": [{"debit": "card", "credit": "shop", "units": True}]}, "no whole number"),
        (transaction(1, posting(-5)), "line 3: "),
        (transaction(1, posting(2**127)), "line 3: "),
        (transaction(1, posting(1, credit="nobody")), "there is no account nobody"),
        (transaction(1, {**posting(1), "asset": "USD/3"}), "card holds USD/2, not USD/3"),
        (transaction(1, posting(1), amout="5"), "amout is unknown"),
        ({"record": "transaction", "key": "12"}, "line 3: "),
        (transaction(1, posting(1), kind="gift"), "'gift' is no kind"),
        (transaction(1, posting(1), effective_at="yesterday"), "effective_at: 'yesterday' is no time"),
        (transaction(1, posting(1), effective_at="2024-03-01T00:00:00.5+01:00"), "is not in UTC"),
        (transaction(1, posting(1), unique_reference="yes"), "neither true nor false"),
        ({"record": "hold_expired", "hold": 3}, "expires by its own time"),
        ({"record": "account_changed", "account": "shop", "state": "gone"}, "'gone' is no state"),
        ({"record": "other"}, "'other' is no record"),
        ([], "no JSON object"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(cli, row, complaint):
    text = b"".join(json.dumps(each).encode() + b"\n" for each in [*OPEN, row])
    sentence = cli.complains("import", "-", status=5, input=text)
    assert complaint in sentence and "line 3: " in sentence, sentence
    assert cli("balance", "shop", "--json").json()["posted"] == "0"


def test_a_journal_is_imported_whole_or_not_at_all(settled, tmp_path):
    settled("export", "--format", "journal", "-o", "copy.nwj")
    assert "is there already" in settled.complains("import", "copy.nwj", status=4)
    data = (tmp_path / "copy.nwj").read_bytes()
    (tmp_path / "short.nwj").write_bytes(data[:-40])
    (tmp_path / "wrong.nwj").write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    for name in ("short.nwj", "wrong.nwj"):
        settled.complains("import", name, "-s", "copy.db", status=7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.nwj", "ledger.db", "short.nwj", "wrong.nwj"]
    settled.complains("import", "absent.nwj", "-s", "copy.db", status=3)
