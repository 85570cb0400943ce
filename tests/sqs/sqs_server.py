# SPDX-License-Identifier: Apache-2.0
"""moto's server of the AWS protocols on a port of its own, for the tests in this folder: started by sqs_server.cc.

Descriptor 3 is a socket to the test. The first line on it is this server's, a JSON object with the port and the keys of a
user who may do everything; signatures are checked from then on. After that each line of the test is a command, answered
by one line, {"ok": result} or {"error": "text"}:

  {"service": "sqs", "operation": "send_message", "arguments": {...}}   done by botocore, with that user's keys
  {"server": "down"}                                                    refuses and cuts connections; keeps all queues
  {"server": "up"}                                                      listens again, on the same port
"""
import json
import os
import socket
import threading

# A user, a key of theirs, a policy: what may be done without a signature.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
    os.environ.pop(name, None)
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

import botocore.config  # noqa: E402
import botocore.session  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server  # noqa: E402

REGION = "eu-central-1"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Handler(MotoRequestHandler):
    """Knows the connections that are open."""

    connections = set()

    def setup(self):
        self.connections.add(self.request)
        super().setup()

    def finish(self):
        self.connections.discard(self.request)
        try:
            super().finish()
        except OSError:
            pass  # cut

    def log(self, type, message, *args):
        pass


class Server:
    def __init__(self):
        self.app = DomainDispatcherApplication(create_backend_app)
        self.port = 0
        self.up()

    def up(self):
        self.server = make_server("127.0.0.1", self.port, self.app, threaded=True, request_handler=Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

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

    server = Server()
    nobody = Clients(server.port, "nobody", "nothing")
    nobody.call("iam", "create_user", {"UserName": "northwind"})
    key = nobody.call("iam", "create_access_key", {"UserName": "northwind"})["AccessKey"]
    policy = {"UserName": "northwind", "PolicyName": "everything", "PolicyDocument": json.dumps(EVERYTHING)}
    nobody.call("iam", "put_user_policy", policy)
    clients = Clients(server.port, key["AccessKeyId"], key["SecretAccessKey"])
    say({"port": server.port, "access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]})

    for line in control:
        command = json.loads(line)
        try:
            if "server" in command:
                {"down": server.down, "up": server.up}[command["server"]]()
                say({"ok": {}})
            else:
                say({"ok": clients.call(command["service"], command["operation"], command["arguments"])})
        except Exception as error:  # the test's to judge
            say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
