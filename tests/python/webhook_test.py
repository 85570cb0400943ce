# SPDX-License-Identifier: Apache-2.0
"""Webhooks to a receiver of Python's own, on a port of the loopback that the system chooses."""

import datetime
import http.server
import queue
import threading

import pytest

import northwind
from conftest import NOON
from northwind import AttemptFailure, DeliveryState, EndpointState, EventType, PaymentEvent, RetryPolicy, SignatureScheme, WebhookPolicy


class Receiver:
    """Answers what it is told to, and keeps what it was told."""

    def __init__(self):
        self.messages = queue.Queue()
        self.answer = 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.messages.put((dict(self.headers.items()), body))
                self.send_response(receiver.answer)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def next(self):
        headers, body = self.messages.get(timeout=60)
        return {name.lower(): value for name, value in headers.items()}, body

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class World:
    def __init__(self, path):
        self.receiver = Receiver()
        self.ledger = northwind.Ledger(path)
        self.scheduler = northwind.Scheduler(self.ledger.store)
        self.intake = northwind.Intake(self.ledger)
        self.webhooks = northwind.Webhooks(
            self.ledger, self.scheduler, {"k1": bytes(range(32))}, plain_http=True, ports=[self.receiver.port],
            allowed_networks={"127.0.0.1/32": [self.receiver.port]},
            policy=WebhookPolicy(retry=RetryPolicy(delays=[0]), timeout=30),
        )
        self.url = f"http://127.0.0.1:{self.receiver.port}/hook"

    def capture(self, n):
        event = PaymentEvent(EventType.PAYMENT_CAPTURED, "m_1", NOON, payment_id=f"pay_{n}", amount=("USD/2", 100))
        (outcome,) = self.intake.apply([event]).outcomes
        return outcome.sequence

    def close(self):
        for part in (self.webhooks, self.intake, self.scheduler, self.ledger, self.receiver):
            part.close()

    def settle(self):
        """Until every delivery made so far is final."""
        while self.webhooks.stats().followed < self.ledger.head.sequence or self.webhooks.stats().waiting:
            assert self.webhooks.error is None


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path / "l")
    yield world
    world.close()


def test_a_payment_is_told_signed_and_receipted(world):
    made = world.webhooks.create_endpoint("m_1", world.url, events=["payment.*"], headers={"X-Shop": "7"})
    assert made.secret.startswith("whsec_") and made.secret not in repr(made) and made.endpoint.header_names == ("X-Shop",)
    world.webhooks.start()
    sequence = world.capture(1)
    headers, body = world.receiver.next()
    assert headers["x-shop"] == "7" and b"pay_1" in body
    signed = {"id": headers["webhook-id"], "timestamp": headers["webhook-timestamp"], "signature": headers["webhook-signature"]}
    northwind.verify_webhook(made.secret, **signed, body=body)
    with pytest.raises(northwind.Unauthenticated):
        northwind.verify_webhook([made.secret], **signed, body=body + b" ")
    with pytest.raises(northwind.OutOfRange):
        northwind.verify_webhook(made.secret, **signed, body=body, now=NOON)
    with pytest.raises(northwind.InvalidArgument):
        northwind.verify_webhook("whsec_!", **signed, body=body)
    world.settle()
    (delivery,) = world.webhooks.deliveries("m_1")
    assert delivery.state is DeliveryState.DELIVERED and delivery.sequence == sequence and delivery.last_status == 200
    assert delivery.name.message_id == headers["webhook-id"] and delivery.type in northwind.webhook_event_types()
    assert world.webhooks.delivery(delivery.name).body.encode() == body
    (attempt,) = world.webhooks.attempts("m_1", endpoint_id=made.endpoint.id)
    assert attempt.failure is AttemptFailure.NONE and attempt.response_body == b"ok" and attempt.number == 1
    assert isinstance(attempt.total, datetime.timedelta) and attempt.remote_address == f"127.0.0.1:{world.receiver.port}"


def test_what_was_not_delivered_can_be_sent_again(world):
    endpoint = world.webhooks.create_endpoint("m_1", world.url, id="ep_1").endpoint
    world.receiver.answer = 500
    world.webhooks.start()
    world.capture(1)
    world.settle()
    (dead,) = world.webhooks.deliveries("m_1", state=DeliveryState.DEAD)
    assert dead.last_failure is AttemptFailure.STATUS and dead.last_status == 500 and world.webhooks.stats().dead == 1
    assert world.webhooks.count_recoverable("m_1", "ep_1", NOON).recoverable == 1
    world.receiver.answer = 204
    assert world.webhooks.redrive_dead("m_1", "ep_1") == 1
    world.settle()
    assert world.webhooks.delivery(dead.name).state is DeliveryState.DELIVERED
    assert [a.status for a in world.webhooks.attempts("m_1", reverse=False)] == [500, 204]
    assert [a.number for a in world.webhooks.attempts("m_1", failure=AttemptFailure.STATUS)] == [1]
    name = world.webhooks.send_test("m_1", "ep_1")
    while world.receiver.next()[0]["webhook-id"] != name.message_id:
        pass
    assert world.webhooks.endpoint_health("m_1", endpoint.id).consecutive_failures == 0
    with pytest.raises(northwind.NotFound):
        world.webhooks.recovery("m_1", "ep_1")


def test_endpoints_change_by_version(world):
    w = world.webhooks
    first = w.create_endpoint("m_1", world.url, id="ep_1", policy=WebhookPolicy(retry=RetryPolicy(delays=[0, 5]), timeout=2)).endpoint
    assert first.version == 1 and first.policy.timeout == datetime.timedelta(seconds=2) and first.events == ("*",)
    second = w.update_endpoint("m_1", "ep_1", 1, events=["payout.paid"])
    assert second.events == ("payout.paid",) and second.policy == first.policy and second.version == 2
    with pytest.raises(northwind.FailedPrecondition):
        w.update_endpoint("m_1", "ep_1", 1, url=world.url + "2")
    assert w.update_endpoint("m_1", "ep_1", 2, policy=None).policy is None
    assert w.pause_endpoint("m_1", "ep_1").state is EndpointState.PAUSED
    assert w.resume_endpoint("m_1", "ep_1").state is EndpointState.ENABLED
    disabled = w.disable_endpoint("m_1", "ep_1", "by hand")
    assert disabled.disabled.detail == "by hand" and disabled == w.endpoint("m_1", "ep_1")
    w.enable_endpoint("m_1", "ep_1")
    assert w.rotate_secret("m_1", "ep_1", overlap=0, scheme=SignatureScheme.ED25519).secret.startswith("whpk_")
    assert [e.id for e in w.endpoints("m_1")] == ["ep_1"] and list(w.endpoints("m_2")) == []
    for call in (lambda: w.endpoint("m_2", "ep_1"), lambda: w.endpoint("m_1", "none")):
        with pytest.raises(northwind.NotFound):
            call()
    with pytest.raises(northwind.InvalidArgument, match="^url"):
        w.create_endpoint("m_1", "ftp://shop.example/x")
    w.delete_endpoint("m_1", "ep_1")
    with pytest.raises(northwind.AlreadyExists):
        w.create_endpoint("m_1", world.url, id="ep_1")
    assert w.reseal_secrets() == 0


def test_policies(world):
    policy = WebhookPolicy(retry=RetryPolicy(delays=[0, 60, 120]), max_per_second=5)
    world.webhooks.set_merchant_policy("m_1", policy)
    assert world.webhooks.merchant_policy("m_1") == policy
    world.webhooks.set_merchant_policy("m_1", None)
    assert world.webhooks.merchant_policy("m_1") is None
    assert northwind.plan_webhook_attempts(policy) == tuple(datetime.timedelta(seconds=s) for s in (0, 60, 180))
    with pytest.raises(northwind.InvalidArgument):
        world.webhooks.set_merchant_policy("m_1", WebhookPolicy(timeout=0))


def test_the_reference_accepts_what_is_sent(world):
    standardwebhooks = pytest.importorskip("standardwebhooks")
    made = world.webhooks.create_endpoint("m_1", world.url)
    world.webhooks.start()
    world.capture(1)
    headers, body = world.receiver.next()
    assert standardwebhooks.Webhook(made.secret).verify(body, headers)
