#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers on this machine that `live` can settle from and mirror to: one that speaks SQS, and a PostgreSQL.

    services.py --events FILE

Prints two lines: the URL of a FIFO queue, and a connection string; then puts the events of the file (JSON lines) into the queue, those
of a merchant as one group and so in their order, and prints the number of them. Lives until its standard input ends; then stops both
servers and removes what they kept. After the line `left` on its standard input it prints how many messages are in the queue, those
that are hidden included.

Needs moto[server] and boto3 of PyPI (tests/requirements.txt), and PostgreSQL's programs. As root, PostgreSQL runs as the user
postgres, since it refuses root.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import boto3

from postgres_server import START_SECONDS, Postgres, die_with_parent

QUEUE = "payments.fifo"
SENT_AT_ONCE = 10


class Queue:
    def __init__(self, directory):
        self.log = pathlib.Path(directory) / "moto.log"
        moto = pathlib.Path(sys.executable).with_name("moto_server")
        deadline = time.monotonic() + START_SECONDS
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([moto, "-H", "127.0.0.1", "-p", "0"], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=die_with_parent)
        while not (match := re.search(r"http://127\.0\.0\.1:(\d+)", self.log.read_text())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("services: moto_server did not start: " + self.log.read_text())
            time.sleep(0.05)
        port = int(match.group(1))
        socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS).close()
        self.sqs = boto3.client("sqs", region_name="eu-central-1", endpoint_url=f"http://127.0.0.1:{port}",
                                aws_access_key_id="demo", aws_secret_access_key="demo")
        self.url = self.sqs.create_queue(QueueName=QUEUE, Attributes={
            "FifoQueue": "true", "VisibilityTimeout": "30"})["QueueUrl"]

    def send(self, path):
        """Copies are messages of their own: what recognises them is the ledger."""
        sent = 0
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file.read().split("\n") if line]
        for first in range(0, len(lines), SENT_AT_ONCE):
            entries = [{"Id": str(first + i), "MessageBody": line, "MessageGroupId": json.loads(line)["merchant_id"],
                        "MessageDeduplicationId": str(first + i)}
                       for i, line in enumerate(lines[first:first + SENT_AT_ONCE])]
            answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            if answer.get("Failed"):
                raise SystemExit(f"services: not sent: {answer['Failed']}")
            sent += len(entries)
        return sent

    def left(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        got = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(got[name]) for name in names)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", required=True)
    options = parser.parse_args()
    # Ends by the exception, and so by what stands in `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = tempfile.mkdtemp(prefix="northwind_services_")
    servers = []
    try:
        logs = tempfile.mkdtemp(dir=directory)
        data = tempfile.mkdtemp(dir=directory)
        os.chmod(directory, 0o711)  # PostgreSQL's user gets through
        queue = Queue(logs)
        servers.append(queue)
        postgres = Postgres(data)
        servers.append(postgres)
        print(queue.url, flush=True)
        print(postgres.connection, flush=True)
        print(queue.send(options.events), flush=True)
        for line in sys.stdin:
            if line.strip() == "left":
                print(queue.left(), flush=True)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
