# SPDX-License-Identifier: Apache-2.0
"""A queue of the SQS protocol (moto's server) and a PostgreSQL, each started for the tests of one module alone."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Queues:
    """tests/sqs/sqs_server.py, which ends when its socket does."""

    def __init__(self, socket, greeting):
        self.lines = socket.makefile("rw", encoding="utf-8")
        self.greeting = json.loads(self.lines.readline()) if greeting else None

    def sqs(self, operation, **arguments):
        self.lines.write(json.dumps({"service": "sqs", "operation": operation, "arguments": arguments}) + "\n")
        self.lines.flush()
        return json.loads(self.lines.readline())["ok"]


@pytest.fixture(scope="module")
def queues():
    pytest.importorskip("moto")
    ours, theirs = socket.socketpair()
    # Descriptor 3 is the server's end of the socket; a shell puts it there.
    command = f'exec "$0" "$1" 3<&{theirs.fileno()} 3>&{theirs.fileno()}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", command, sys.executable, str(ROOT / "tests/sqs/sqs_server.py")], pass_fds=(theirs.fileno(),)
    )
    theirs.close()
    with ours:
        server = Queues(ours, True)
        environment = pytest.MonkeyPatch()
        environment.setenv("AWS_ACCESS_KEY_ID", server.greeting["access_key_id"])
        environment.setenv("AWS_SECRET_ACCESS_KEY", server.greeting["secret_access_key"])
        environment.setenv("AWS_REGION", "eu-central-1")
        yield server
        environment.undo()
        server.lines.close()
    process.wait(60)


@pytest.fixture(scope="module")
def postgres():
    # In a short directory: the path of a socket has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="nwpg", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples/live/postgres_server.py"), "fsync=off"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "TMPDIR": "/tmp"},
        )
        connection = process.stdout.readline().strip()
        assert connection
        yield connection
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
