# SPDX-License-Identifier: Apache-2.0
"""moto's server of the AWS protocols on a port of its own, for the tests in this folder: started by sqs_server.cc.

Descriptor 3 is a socket to the test. The first line on it is this server's, a JSON object with the port and the keys of a
user who may do everything; signatures are checked from then on. After that each line of the test is a command, answered
by one line, {"ok": result} or {"error": "text"}:

  {"service": "sqs", "operation": "send_message", "arguments": {...}}   done by botocore, with that user's keys
  {"server": "down"}                                                    refuses and cuts connections; keeps all queues
  {"server": "up"}                                                      listens again, on the same port
  {"server": "fail", "operation": "DeleteMessage", "count": 2,          answers the next two of these so by itself, as
   "status": 503, "headers": {}, "body": ""}                            what stands before a service does
  {"server": "recover"}                                                 answers those that are left of these as they are
  {"server": "refuse", "status": 403, "body": ""}                       answers so whatever is signed by a key that has been
                                                                        used until now, but for that user's
  {"server": "requests", "operation": "DeleteMessage"}                  how many of these there have been: {"count": 2}
  {"server": "received", "queue": "name"}                               {"bodies": [...]} of those received and not deleted
  {"server": "forget"}                                                  all queues are gone
  {"server": "tls", "directory": "/tmp/x"}                              listens for TLS, too: {"port": 4712}; what its
                                                                        certificate is to be believed by is x/ca.pem
"""
import collections
import datetime
import ipaddress
import json
import os
import pathlib
import re
import socket
import ssl
import threading
import time

# A user, a key of theirs, a policy: what may be done without a signature.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
    os.environ.pop(name, None)
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

import botocore.config  # noqa: E402
import botocore.session  # noqa: E402
import moto.sqs.models  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from moto.backends import get_backend  # noqa: E402
from moto.core.responses import ActionAuthenticatorMixin  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sqs.models import SQSBackend  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

REGION = "eu-central-1"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def allow_unsigned_web_identity():
    """AWS wants no signature for this one, whose caller has no keys yet; moto would."""
    authenticate = ActionAuthenticatorMixin._authenticate_and_authorize_action

    def authenticate_others(self, *args, **kwargs):
        if self._get_action() != "AssumeRoleWithWebIdentity":
            authenticate(self, *args, **kwargs)

    ActionAuthenticatorMixin._authenticate_and_authorize_action = authenticate_others


def hurry():
    """For each message that it hands out moto counts, nine times, all messages of the queue, to know for how long they are kept;
    and it asks for the time by way of calendars. Half a second for a receive from a queue of 300."""

    def is_message_valid_based_on_retention_period(self, queue_name, message):
        return message.sent_timestamp / 1000 + self.get_queue(queue_name).message_retention_period > time.time()

    SQSBackend.is_message_valid_based_on_retention_period = is_message_valid_based_on_retention_period
    moto.sqs.models.unix_time = time.time
    moto.sqs.models.unix_time_millis = lambda: time.time() * 1000


def look_again_which_groups_are_free():
    """moto looks once, when a receive from a FIFO queue begins, which groups have messages in flight, and then goes over all
    messages without a pause until the time is up: a long poll that begins a moment too soon brings nothing, and takes the
    processor from whoever would delete those in flight. And two that begin together are both given messages of one group."""
    receive = SQSBackend.receive_message
    one_at_a_time = threading.Lock()

    def receive_message(self, queue_name, count, wait_seconds_timeout, *others):
        if not self.get_queue(queue_name).fifo_queue:
            return receive(self, queue_name, count, wait_seconds_timeout, *others)
        end = time.monotonic() + wait_seconds_timeout
        while True:
            with one_at_a_time:
                messages = receive(self, queue_name, count, 0, *others)
            if messages or time.monotonic() >= end:
                return messages
            time.sleep(0.02)

    SQSBackend.receive_message = receive_message


def change_queues_one_at_a_time():
    """moto deletes by making a list of all other messages, and puts that in place without a lock: what is deleted, or sent, by somebody
    else meanwhile comes back, or is lost."""
    lock = threading.RLock()

    def alone(method):
        def locked(*args, **kwargs):
            with lock:
                return method(*args, **kwargs)

        return locked

    for name in ("add_message", "delete_message"):
        setattr(moto.sqs.models.Queue, name, alone(getattr(moto.sqs.models.Queue, name)))


def write_certificates(directory):
    """An authority, ca.pem, and a server's certificate and key of this address, server.pem."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certify(key, name, issuer_key, issuer_name, *extensions):
        name, issuer_name = (
            x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, each)]) for each in (name, issuer_name)
        )
        builder = x509.CertificateBuilder(issuer_name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    constraint = x509.BasicConstraints(ca=True, path_length=None)
    certificate = certify(server, "queues", authority, "authority", address)
    key = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "ca.pem").write_bytes(certify(authority, "authority", authority, "authority", constraint))
    (directory / "server.pem").write_bytes(certificate + key)


class Handler(MotoRequestHandler):
    """Knows the connections that are open."""

    connections = set()
    date = threading.local()  # of the answer that a thread gives, if it is not now

    def setup(self):
        self.connections.add(self.request)
        super().setup()

    def finish(self):
        self.connections.discard(self.request)
        try:
            super().finish()
        except OSError:
            pass  # cut

    def date_time_string(self, timestamp=None):
        return getattr(self.date, "text", None) or super().date_time_string(timestamp)

    def log(self, type, message, *args):
        pass


class Server:
    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.failures = []
        self.requests = collections.Counter()
        self.keys_used = set()
        self.refused = {}  # keys, with the status and the body that they are answered
        self.lock = threading.Lock()
        self.port = 0
        self.up()

    def app(self, environ, start_response):
        operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
        signed_by = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        with self.lock:
            self.requests[operation] += 1
            refusal = self.refused.get(signed_by[1]) if signed_by else None
            if signed_by:
                self.keys_used.add(signed_by[1])
            failure = next((each for each in self.failures if each["operation"] == operation and each["count"]), None)
            if failure:
                failure["count"] -= 1
        Handler.date.text = failure["headers"].pop("Date", None) if failure else None
        if failure or refusal:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            answer = failure or refusal
            start_response(f"{answer['status']} Failure", list(answer.get("headers", {}).items()))
            return [answer["body"].encode()]
        if environ["PATH_INFO"].startswith("/latest/"):
            environ["HTTP_HOST"] = "169.254.169.254"  # by which moto tells the metadata of an instance
        return self.moto(environ, start_response)

    def fail(self, failure):
        with self.lock:
            self.failures.append(failure)

    def recover(self):
        with self.lock:
            self.failures.clear()

    def refuse(self, refusal, but):
        with self.lock:
            self.refused.update((key, refusal) for key in self.keys_used - {but} if key not in self.refused)

    def forget(self):
        for regions in get_backend("sqs").values():
            for backend in regions.values():
                backend.reset()

    def received(self, name):
        queues = [backend.queues for regions in get_backend("sqs").values() for backend in regions.values()]
        messages = [message for each in queues if name in each for message in each[name]._messages]
        return [message.body for message in messages if message.approximate_receive_count > 0]

    def listen(self, port, tls=None):
        server = make_server("127.0.0.1", port, self.app, threaded=True, request_handler=Handler, ssl_context=tls)
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server

    def listen_for_tls(self, directory):
        write_certificates(directory)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(directory / "server.pem")
        return self.listen(0, tls).server_address[1]

    def up(self):
        self.server = self.listen(self.port)
        self.port = self.server.server_address[1]

    def down(self):
        # By itself, closing lets in one more: the thread that listens holds on to the socket.
        self.server.socket.shutdown(socket.SHUT_RDWR)
        self.server.shutdown()
        self.server.server_close()
        for connection in list(Handler.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Clients:
    """botocore's, as the user with these keys."""

    def __init__(self, port, access_key_id, secret_access_key):
        self.session = botocore.session.Session()
        self.port = port
        self.keys = {"aws_access_key_id": access_key_id, "aws_secret_access_key": secret_access_key}
        self.clients = {}

    def call(self, service, operation, arguments):
        if service not in self.clients:
            self.clients[service] = self.session.create_client(
                service,
                region_name=REGION,
                endpoint_url=f"http://127.0.0.1:{self.port}",
                config=botocore.config.Config(retries={"total_max_attempts": 1}),
                **self.keys,
            )
        result = getattr(self.clients[service], operation)(**arguments)
        result.pop("ResponseMetadata", None)
        return result


def main():
    control = socket.socket(fileno=3).makefile("rw", encoding="utf-8")

    def say(value):
        control.write(json.dumps(value, default=str) + "\n")
        control.flush()

    allow_unsigned_web_identity()
    hurry()
    look_again_which_groups_are_free()
    change_queues_one_at_a_time()
    server = Server()
    nobody = Clients(server.port, "nobody", "nothing")
    nobody.call("iam", "create_user", {"UserName": "northwind"})
    key = nobody.call("iam", "create_access_key", {"UserName": "northwind"})["AccessKey"]
    policy = {"UserName": "northwind", "PolicyName": "everything", "PolicyDocument": json.dumps(EVERYTHING)}
    nobody.call("iam", "put_user_policy", policy)
    clients = Clients(server.port, key["AccessKeyId"], key["SecretAccessKey"])
    say({"port": server.port, "access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]})

    def listen_for_tls(command):
        return {"port": server.listen_for_tls(pathlib.Path(command["directory"]))}

    commands = {
        "down": lambda _: server.down(),
        "up": lambda _: server.up(),
        "fail": server.fail,
        "recover": lambda _: server.recover(),
        "refuse": lambda command: server.refuse(command, but=key["AccessKeyId"]),
        "requests": lambda command: {"count": server.requests[command["operation"]]},
        "forget": lambda _: server.forget(),
        "received": lambda command: {"bodies": server.received(command["queue"])},
        "tls": listen_for_tls,
    }
    for line in control:
        command = json.loads(line)
        try:
            if "server" in command:
                say({"ok": commands[command["server"]](command) or {}})
            else:
                say({"ok": clients.call(command["service"], command["operation"], command["arguments"])})
        except Exception as error:  # the test's to judge
            say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
