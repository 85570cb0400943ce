# SPDX-License-Identifier: Apache-2.0
"""northwind completion, asked as the shells ask it."""

import os
import pty
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory):
    from command_line import Cli

    return Cli(tmp_path_factory.mktemp("completion"))("completion", "bash").out


def bash(script, line, directory):
    words = line.split(" ")
    program = f"""{script}
COMP_WORDS=({' '.join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}
_northwind
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    end = subprocess.run(["bash", "-u", "-c", program], capture_output=True, text=True, cwd=directory, check=True)
    assert end.stderr == ""
    return set(end.stdout.split())


@pytest.mark.parametrize(
    ("line", "there", "not_there"),
    [
        ("northwind ", {"settle", "accounts", "doctor", "--store"}, {"list", "--at"}),
        ("northwind se", {"settle"}, {"accounts"}),
        ("northwind -s settle ver", {"verify"}, {"settle"}),
        ("northwind balance --", {"--at", "--store", "--json"}, {"--format"}),
        ("northwind -s x.db mirror ", {"status", "sync", "audit", "migrate"}, {"list"}),
        ("northwind mirror status --s", {"--store", "--schema"}, {"--timeout"}),
        ("northwind export --format ", {"jsonl", "csv", "hledger"}, {"--json"}),
        ("northwind payouts --state su", {"submitted"}, {"paid"}),
        ("northwind export -o ", {"one.jsonl", "two.csv"}, {"jsonl"}),
        ("northwind settle o", {"one.jsonl"}, {"two.csv", "--each"}),
        ("northwind compare ", {"add-rule", "sign-off", "days", "digests"}, {"raise", "one.jsonl"}),
        ("northwind compare close 2026-03-02 --", {"--total", "--nothing", "--actor", "--mapping"}, {"--key"}),
        ("northwind compare add-rule r --class ", {"late", "missing_here"}, {"--owner"}),
        ("northwind compare ingest nightly ", {"one.jsonl", "two.csv"}, {"--format"}),
        ("northwind cutover ", {"raise", "hand-back", "resume-routing", "residue", "overrides"}, {"sync", "one.jsonl"}),
        ("northwind cutover raise --", {"--force", "--yes", "--mapping", "--salt", "--claims"}, {"--threshold"}),
        ("northwind cutover hand-back --a", {"--actor", "--all"}, {"--force"}),
        ("northwind cutover override m_1 ", {"allow", "deny", "none"}, {"one.jsonl"}),
        ("northwind cutover overrides --", {"--after", "--limit", "--salt"}, {"--claims", "--actor"}),
        ("northwind cutover preview 500 --values ", {"two.csv"}, {"--salt"}),
        ("northwind completion ", {"bash", "zsh"}, {"one.jsonl"}),
    ],
)
def test_bash(bash_script, tmp_path, line, there, not_there):
    for name in ("one.jsonl", "two.csv"):
        (tmp_path / name).touch()
    found = bash(bash_script, line, tmp_path)
    assert there <= found and not (not_there & found), found


def test_zsh_takes_it(cli):
    if shutil.which("zsh") is None:
        pytest.fail("zsh is missing: scripts/bootstrap installs it")
    script = cli("completion", "zsh").out
    program = f"autoload -U compinit && compinit -u -D\n{script}\nprint -r -- $_comps[northwind]"
    end = subprocess.run(["zsh", "-f", "-c", program], capture_output=True, text=True, check=True, env={**cli.environment, "HOME": str(cli.directory)})
    assert end.stderr == "" and "_bash_complete" in end.stdout and "_northwind" in end.stdout


def read_until(leader, text):
    """What a terminal shows until the text is there; the test's own limit ends a wait in vain."""
    shown = b""
    while text not in shown:
        shown += os.read(leader, 65536)
    return shown


def test_zsh_completes_at_the_terminal(cli):
    (cli.directory / "script").write_text(cli("completion", "zsh").out)
    leader, follower = pty.openpty()
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=follower, stdout=follower, stderr=follower, cwd=cli.directory,
        env={**cli.environment, "HOME": str(cli.directory), "TERM": "dumb"}, start_new_session=True,
    )
    os.close(follower)
    try:
        os.write(leader, b"autoload -U compinit && compinit -u -D; source ./script; bindkey '^I' complete-word; echo rea''dy\n")
        read_until(leader, b"ready\r\n")
        for typed, whole in (
            (b"northwind cutover rai", b"raise"), (b"northwind compare sign", b"sign-off"), (b"northwind compare close 2026-03-02 --tot", b"--total"),
            (b"northwind cutover override m_1 den", b"deny"), (b"northwind export -o scr", b"script"),
        ):
            os.write(leader, typed + b"\t")
            read_until(leader, whole)
            os.write(leader, b"\x15")  # and away with the line
    finally:
        shell.kill()
        shell.wait()
        os.close(leader)
