#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program itself: started on a port that is free, killed, started again, ended."""
import json
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import BARE, PROGRAM, Server  # noqa: E402


def capture(number):
    return {"type": "PAYMENT_CAPTURED", "payment_id": f"pay_{number}", "merchant_id": "m_1", "occurred_at": "2026-07-01T12:00:00Z",
            "amount": {"asset": "USD/2", "units": "100"}}


class ServerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="northwind_server_")
        self.addCleanup(folder.cleanup)
        self.data = folder.name

    def available(self, server):
        status, body = server.ask("GET", "/v1/merchants/m_1/balances")
        self.assertEqual(status, 200, body)
        return int(json.loads(body)["balances"][0]["available"])

    def test_nothing_acknowledged_is_missing_after_a_kill(self):
        with Server(self.data) as server:
            for part in range(5):
                status, body = server.ask("POST", "/v1/events", [capture(part * 100 + i) for i in range(100)])
                self.assertEqual(status, 202, body)
                self.assertEqual({o["status"] for o in json.loads(body)["outcomes"]}, {"applied"})
            self.assertEqual(server.end(signal.SIGKILL), -signal.SIGKILL)
        with Server(self.data) as server:
            self.assertEqual(self.available(server), 500 * 100)
            status, body = server.ask("POST", "/v1/events", [capture(i) for i in range(500)])
            self.assertEqual({o["status"] for o in json.loads(body)["outcomes"]}, {"duplicate"})
            self.assertEqual(self.available(server), 500 * 100)
            status, body = server.ask("POST", "/v1/operator/verify", {})
            self.assertEqual(status, 200, body)
            self.assertEqual(server.end(signal.SIGTERM), 0)

    def test_a_signal_ends_it_in_order(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            with Server(self.data) as server:
                self.assertEqual(server.ask("GET", "/healthz")[0], 200)
                self.assertEqual(server.ask("GET", "/readyz")[0], 200)
                self.assertEqual(server.end(how), 0)
                self.assertEqual(server.lines[-1]["message"], "ended")

    def test_a_log_that_nobody_reads_holds_up_nothing(self):
        with Server(self.data, reads_log=False) as server:
            with server.connect() as connection:
                for _ in range(2000):  # a line each, of a pipe that holds 64 KiB
                    self.assertEqual(connection.ask("GET", "/v1/merchants/m_1/balances")[0], 200)
                _, text = connection.ask("GET", "/metrics")
                self.assertIn("\nnorthwind_log_dropped_lines_total 0\n", text)
            self.assertEqual(server.end(signal.SIGTERM), 0)

    def test_lines_that_a_log_has_no_room_for_are_dropped_counted_and_told(self):
        at_once = 500
        with Server(self.data, reads_log=False) as server:
            asked = 0
            with server.connect() as connection, socket.create_connection(server.address[len("http://"):].split(":")) as probes:
                answers = probes.makefile("rb")
                dropped = 0
                while dropped == 0 and asked < 100_000:  # some 20,000 lines find room
                    probes.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * at_once)
                    answered = 0
                    while answered < at_once:
                        answered += answers.readline().startswith(b"HTTP/1.1 200 ")
                    status, text = connection.ask("GET", "/metrics")
                    self.assertEqual(status, 200)
                    asked += at_once + 1
                    dropped = int(re.search(r"^northwind_log_dropped_lines_total (\d+)$", text, re.M)[1])
                self.assertGreater(dropped, 0)
                answers.close()
            server.reader = threading.Thread(target=server.read)
            server.reader.start()
            self.assertEqual(server.end(signal.SIGTERM), 0)
        told = [line for line in server.lines if line["message"].startswith("lines of this log were dropped")]
        self.assertGreaterEqual(sum(line["count"] for line in told), dropped)
        self.assertEqual(sum(line["message"] == "request" for line in server.lines) + sum(line["count"] for line in told), asked)
        self.assertEqual(server.lines[-1]["message"], "ended")  # there is room of its own for what is not of a request

    def test_an_end_that_takes_too_long_is_cut_off_and_loses_nothing(self):
        # A merchant that takes a message and does not answer, for which it would wait.
        hasty = ["--batch-gone", "--webhooks-to-loopback", "--drain-timeout=1ms", "--end-timeout=100ms"]
        with Server(self.data, *hasty) as server, socket.create_server(("127.0.0.1", 0)) as merchant:
            status, body = server.ask("POST", "/v1/merchants/m_1/endpoints", {"url": f"http://127.0.0.1:{merchant.getsockname()[1]}/"})
            self.assertEqual(status, 201, body)
            self.assertEqual(server.ask("POST", "/v1/events", [capture(1)])[0], 202)
            with merchant.accept()[0] as attempt:
                self.assertTrue(attempt.recv(1))
                self.assertEqual(server.end(signal.SIGTERM), 1)
            self.assertIn("did not end in time", server.lines[-1]["message"])
        with Server(self.data) as server:
            self.assertEqual(self.available(server), 100)
            self.assertEqual(server.end(signal.SIGTERM), 0)

    def test_the_first_key_is_for_its_owner_only_and_no_line_of_the_log_has_it(self):
        with Server(self.data) as server:
            self.assertEqual(stat.S_IMODE(server.key_file.stat().st_mode), 0o600)
            self.assertEqual(stat.S_IMODE((server.data / "host.key").stat().st_mode), 0o600)
            self.assertEqual((server.data / "host.key").stat().st_size, 32)
            self.assertEqual(server.ask("GET", "/v1/operator/overview")[0], 200)
            self.assertEqual(server.ask("GET", "/v1/operator/overview?secret=hunter2")[0], 400)
            self.assertEqual(server.ask("GET", "/v1/operator/overview", key="nwk_no")[0], 401)
            self.assertEqual(server.ask("GET", "/metrics")[0], 200)
            self.assertEqual(server.end(signal.SIGTERM), 0)
            self.assertIn("getOverview", [line.get("route") for line in server.lines])
            text = json.dumps(server.lines)
            self.assertNotIn(server.key, text)
            self.assertNotIn("hunter2", text)

    def test_a_second_server_on_the_same_data_is_refused(self):
        with Server(self.data) as server:
            second = subprocess.run([PROGRAM, "--data", self.data], env=BARE, capture_output=True, text=True, timeout=60)
            self.assertEqual(second.returncode, 1)
            self.assertIn("is open in another process. One server has one directory", second.stderr)
            self.assertEqual(server.end(signal.SIGTERM), 0)

    def test_what_is_wrong_with_the_settings_is_told(self):
        for flags, environment, said in [(["--prot=1"], {}, "--prot is no setting"), ([], {"NORTHWIND_PROT": "1"}, "NORTHWIND_PROT is set"), ([], {}, "data is missing")]:
            ended = subprocess.run([PROGRAM, *flags], env=BARE | environment, capture_output=True, text=True, timeout=60)
            self.assertEqual(ended.returncode, 2)
            self.assertIn(said, json.loads(ended.stderr)["message"])
        self.assertIn("--max-streams", subprocess.run([PROGRAM, "--help"], env=BARE, capture_output=True, text=True, check=True).stdout)
        self.assertRegex(subprocess.run([PROGRAM, "--version"], env=BARE, capture_output=True, text=True, check=True).stdout, r"^reference_server \d+\.\d+\.\d+\n$")

    def test_routes_are_printed(self):
        lines = subprocess.run([PROGRAM, "--data", self.data, "--print-routes"], env=BARE, capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertIn("POST /v1/events postEvents events:write", lines)
        self.assertTrue(all(len(line.split()) == 4 for line in lines), lines)
        self.assertEqual(len(lines), len(set(lines)))


if __name__ == "__main__":
    sys.exit(unittest.main())
