# SPDX-License-Identifier: Apache-2.0
"""northwind plot."""

import pytest
from command_line import SHOP
from northwind.cli import chart


def test_points_of_a_balance(settled):
    rows = settled("plot", "balance", SHOP, "--json").rows()
    assert [row["y"] for row in rows] == ["10000", "9680", "7680", "2680"]
    text = settled("plot", "balance", SHOP).out
    assert "100.00 ┤" in text and " 0.00 ┤" in text and max(map(len, text.splitlines())) <= 80
    assert "nothing to plot" in settled.complains("plot", "balance", SHOP, "--to", "2024-01-01", status=3)


def test_throughput_counts_every_transaction(settled):
    rows = settled("plot", "throughput", "--json").rows()
    assert sum(row["y"] for row in rows) == 4
    assert "transactions a second, over 1 s each" in settled("plot", "throughput").out


def test_retries_are_those_of_the_policy(cli):
    rows = cli("plot", "retries", "--initial", "5s", "--multiplier", "2", "--cap", "12s", "--attempts", "5", "--json").rows()
    assert [(row["x"], row["y"]) for row in rows] == [(1, 0.0), (2, 5.0), (3, 15.0), (4, 27.0), (5, 39.0)]
    assert len(cli("plot", "retries", "--json").rows()) == 10
    assert "multiplier" in cli.complains("plot", "retries", "--multiplier", "0.1", status=5)


def test_a_png(settled):
    pytest.importorskip("matplotlib")
    for number, arguments in enumerate((["balance", SHOP], ["throughput"], ["retries"])):
        settled("plot", *arguments, "-o", f"{number}.png", "--json")
        data = (settled.directory / f"{number}.png").read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 5000
    assert sorted(path.name for path in settled.directory.iterdir()) == ["0.png", "1.png", "2.png", "ledger.db"]


@pytest.mark.parametrize("values", [[5, -5], [-5, -1], [0, 0], [3], [1, 10**40], [-(10**40), 10**40]])
def test_a_chart_has_zero_and_the_extremes(values):
    points = [chart.Point(x, y) for x, y in enumerate(values)]
    drawn = chart.Chart("title", points, str, str, times=False, steps=True)
    lines = list(chart.text(drawn, 40 + len(str(max(map(abs, values))))))
    labels = [line.split("┤")[0].strip() for line in lines if "┤" in line]
    assert len(labels) == 14 and "0" in labels
    if max(values) > 0:
        assert str(max(values)) in labels and labels[0] == str(max(values))
    if min(values) < 0:
        assert labels[-1] == str(min(values))
    filled = [line.split("┤")[1] for line in lines if "┤" in line]
    assert any(line.strip() for line in filled) == any(values)


def test_a_column_is_as_high_as_its_value():
    points = [chart.Point(x, y) for x, y in enumerate([14, 7, 0])]
    lines = [line for line in chart.text(chart.Chart("", points, str, str, times=False, steps=False), 60) if "┤" in line]
    heights = [sum(line.split("┤")[1].ljust(60)[column] == "█" for line in lines) for column in range(50)]
    assert sorted(set(heights)) == [0, 7, 14]
