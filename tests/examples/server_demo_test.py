#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reference server's demonstration in small; and its judgement notices what it is there to notice.

    NORTHWIND_REFERENCE_SERVER=.../reference_server python3 tests/examples/server_demo_test.py

Standard library only. NORTHWIND_TEST_SEED repeats a run; the seed is printed.
"""
import contextlib
import io
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

DEMO = pathlib.Path(__file__).resolve().parents[2] / "examples/reference_server/demo"
sys.path.insert(0, str(DEMO))
import demo  # noqa: E402
import sample  # noqa: E402

PROGRAM = os.environ["NORTHWIND_REFERENCE_SERVER"]
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
PAYMENTS = 400


class ServerDemoTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        folder = tempfile.TemporaryDirectory(prefix="northwind_demo_")
        self.addCleanup(folder.cleanup)
        self.words = ["--server", PROGRAM, "--dir", folder.name, "--payments", str(PAYMENTS), "--seed", str(SEED)]

    def play(self):
        """Exit status and all that was printed."""
        said = io.StringIO()
        with mock.patch.object(sys, "argv", ["demo.py", *self.words]), contextlib.redirect_stdout(said):
            handler = signal.getsignal(signal.SIGTERM)
            try:
                return demo.main(), said.getvalue()
            finally:
                signal.signal(signal.SIGTERM, handler)

    def test_all_of_it_agrees(self):
        status, said = self.play()
        self.assertEqual(status, 0, said)
        figures = json.loads(said.splitlines()[-1])
        self.assertEqual(figures["paid"] + figures["failed"], figures["payouts"])
        self.assertGreater(figures["duplicates"], 0)
        self.assertGreater(figures["webhooks_refused"], 0)
        self.assertTrue(figures["gate_open"])

    def test_a_cent_too_many_is_noticed(self):
        class Generous(sample.Sample):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                self.available["bakery"] += 1

        with mock.patch.object(demo, "Sample", Generous):
            status, said = self.play()
        self.assertEqual(status, 1, said)
        self.assertIn("NOT SO: bakery has", said)

    def test_with_serve_it_goes_on_until_it_is_told_to_end(self):
        with subprocess.Popen([sys.executable, DEMO / "demo.py", *self.words, "--serve"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as process:
            said = []
            for text in process.stdout:
                said.append(text)
                if "Ctrl-C" in text:
                    process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(), 0, "".join(said))
        self.assertIn("/portal", "".join(said))
        self.assertTrue(json.loads(said[-1])["agrees"])


if __name__ == "__main__":
    sys.exit(unittest.main())
