# SPDX-License-Identifier: Apache-2.0
"""northwind init."""

import re

import northwind


def test_a_store_is_made_once(cli):
    assert re.fullmatch(r"store   .*/ledger\.db\nledger  [0-9a-f]{32}\n", cli("init").out)
    assert "already" in cli.complains("init", status=4)
    assert cli("accounts").err == "northwind: no accounts\n"


def test_a_shadow_store(cli):
    assert cli("init", "--shadow", "-s", "deep/er/trial.db", "--json").json()["shadow"] is True
    with northwind.Store(cli.directory / "deep/er/trial.db", create=False) as store:
        assert store.shadow


def test_a_directory_of_something_else_is_left_alone(cli):
    (cli.directory / "docs").mkdir()
    (cli.directory / "docs" / "letter.txt").write_text("mine")
    cli.complains("init", "-s", "docs", status=4)
    assert [path.name for path in (cli.directory / "docs").iterdir()] == ["letter.txt"]
