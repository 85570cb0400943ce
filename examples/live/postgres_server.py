#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of one's own on this machine, for demonstrations and tests.

    postgres_server.py [SETTING=VALUE...]

Prints its connection string; lives until its standard input ends; then stops it and removes what it kept. A Unix socket, no port. As root,
PostgreSQL runs as the user postgres, since it refuses root.
"""
import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

START_SECONDS = 60


def postgres_bin():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise SystemExit("postgres_server: no initdb in /usr/lib/postgresql/*/bin")
    return found[-1].parent


def die_with_parent():
    """A server does not outlive this program, whatever ends it."""
    ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG; to PostgreSQL: a fast shutdown


class Postgres:
    """A server in a directory of its own, which must be there and empty; settings such as "fsync=off"."""

    def __init__(self, directory, settings=()):
        self.directory = pathlib.Path(directory)
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)
        data = self.directory / "data"
        self.run(postgres_bin() / "initdb", "--pgdata", data, "--username", "northwind", "--auth", "trust",
                 "--encoding", "UTF8", "--locale", "C.UTF-8")
        self.connection = f"host={self.directory} user=northwind dbname=postgres"
        self.launch(settings)

    def launch(self, settings=()):
        """Again, after `stop`, with what it had."""
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                [postgres_bin() / "postgres", "-D", self.directory / "data", "-k", self.directory, "-c", "listen_addresses=",
                 *(word for setting in settings for word in ("-c", setting))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent, **self.identity())
        deadline = time.monotonic() + START_SECONDS
        ready = [postgres_bin() / "pg_isready", "-q", "-d", self.connection]
        while subprocess.run(ready, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("postgres_server: PostgreSQL did not start: " + (self.directory / "log").read_text())
            time.sleep(0.05)

    def identity(self):
        if not self.user:
            return {"cwd": self.directory}
        return {"cwd": self.directory, "user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def run(self, *words):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, **self.identity())
        if done.returncode:
            raise SystemExit("postgres_server: " + done.stderr.decode(errors="replace"))

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


def main():
    # Ends by the exception, and so by what stands in `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = tempfile.mkdtemp(prefix="northwind_postgres_")
    server = None
    try:
        server = Postgres(directory, sys.argv[1:])
        print(server.connection, flush=True)
        sys.stdin.read()
    finally:
        if server:
            server.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
