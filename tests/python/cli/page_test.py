# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md: what it says to type prints what it says is printed, and its table of statuses is the program's."""

import pathlib
import re
import subprocess
import sys

from northwind.cli import exits
from northwind.cli.commands import COMMANDS

PAGE = (pathlib.Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```)?", re.M | re.S)
MARK = "\x1e"


def pattern_of(expected):
    """Columns are as wide as what is in them; a line of nothing but … is any number of lines, and … within one any text."""
    lines = []
    for line in expected.splitlines():
        words = [re.escape(word).replace("…", ".+") for word in re.split(r" +", line)]
        lines.append("(?:.*\n)*" if line == "…" else " +".join(words) + "\n")
    return "".join(lines)


def test_the_page_is_one_session(cli, postgres):
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) > 15
    bin_directory = cli.directory / "bin"
    bin_directory.mkdir()
    program = bin_directory / "northwind"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m northwind "$@"\n')
    program.chmod(0o755)
    cli.environment.update(PATH=f"{bin_directory}:{cli.environment['PATH']}", NORTHWIND_POSTGRES=postgres)
    session = "exec 2>&1\n" + "".join(f"{commands}printf '{MARK}'\n" for commands, _ in blocks)
    end = subprocess.run(["bash", "-c", session], capture_output=True, text=True, cwd=cli.directory, env=cli.environment, timeout=240)
    assert (end.returncode, end.stderr) == (0, "")
    printed = end.stdout.split(MARK)[:-1]
    assert len(printed) == len(blocks)
    wrong = [
        f"{commands}\nis to print\n{expected}\nand prints\n{text}"
        for (commands, expected), text in zip(blocks, printed) if not re.fullmatch(pattern_of(expected), text)
    ]
    assert not wrong, "\n\n".join(wrong)


def test_every_command_is_on_the_page():
    run = " ".join(commands for commands, _ in BLOCK.findall(PAGE))
    assert all(re.search(rf"northwind {command.NAME}\b", run) for command in COMMANDS)


def test_the_table_of_statuses():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.M)
    assert [(int(status), text) for status, text in rows] == list(exits.TABLE)
