# SPDX-License-Identifier: Apache-2.0
"""northwind settle from a queue of the SQS protocol."""

import json
import os
import signal
import subprocess

import pytest
from command_line import EVENTS, SHOP

# Sales and a refund: what they come to is the same in whatever order a standard queue hands them out, by several receives at a time. A payout
# that overtakes the sale that it is of would be rejected.
SALES = EVENTS[:3]


@pytest.fixture
def queue(queues, request):
    url = queues.sqs("create_queue", QueueName=request.node.name)["QueueUrl"]

    def send(*bodies):
        for body in bodies:
            queues.sqs("send_message", QueueUrl=url, MessageBody=body if isinstance(body, str) else json.dumps(body))
        return ["--queue-url", url, "--endpoint", f"http://127.0.0.1:{queues.greeting['port']}", "--receive-wait", "0s"]

    return send


def test_a_queue_is_settled_until_it_is_empty(cli, queue):
    cli.environment.update({name: value for name, value in os.environ.items() if name.startswith("AWS_")})
    end = cli("settle", *queue(*SALES, SALES[0]), "--json").json()
    # The refund may have come first, and waited for its sale.
    assert (end["applied"] + end["parked"], end["duplicates"], end["deleted"], end["poison"]) == (3, 1, 4, 0)
    assert cli("balance", SHOP, "--json").json()["available"] == "7680"
    assert cli("settle", *queue("no event"), "--json", status=1).json()["poison"] == 1


def test_a_queue_is_followed_until_a_signal(cli, queues, queue):
    cli.environment.update({name: value for name, value in os.environ.items() if name.startswith("AWS_")})
    arguments = queue(*SALES)
    cli("init")
    process = cli.start("settle", *arguments, "--follow", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        while process.poll() is None:
            left = queues.sqs("get_queue_attributes", QueueUrl=arguments[1], AttributeNames=counts)["Attributes"]
            if not any(int(left[name]) for name in counts):
                break
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, err) == (0, ""), (process.returncode, out, err)
    end = json.loads(out)
    assert end["applied"] + end["parked"] == 3, end
    assert cli("balance", SHOP, "--json").json()["available"] == "7680"


def test_a_queue_that_is_not_there(cli, queue):
    cli.environment.update({name: value for name, value in os.environ.items() if name.startswith("AWS_")})
    _, url, *rest = queue()
    cli("init")
    cli.complains("settle", "--queue-url", url + "x", *rest, status=3)
