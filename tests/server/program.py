# SPDX-License-Identifier: Apache-2.0
"""reference_server as a process of a test: started on a port that is free, asked over HTTP, ended. Standard library only."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import urllib.error
import urllib.request

BARE = {name: value for name, value in os.environ.items() if not name.startswith("NORTHWIND_")}


class Server:
    """Ends with the block, whatever becomes of it. `flags` and `environment`: settings besides --data and --first-key."""

    def __init__(self, program, data, *flags, environment=None):
        self.data = pathlib.Path(data)
        self.key_file = self.data / "first.key"
        self.lines = []
        self.address = None
        command = [program, "--data", str(data), "--first-key", str(self.key_file), *flags]
        self.process = subprocess.Popen(command, env={**BARE, **(environment or {})}, stderr=subprocess.PIPE, text=True)
        started = threading.Event()
        # Read to its end by a thread: a log that nobody reads holds up requests.
        self.reader = threading.Thread(target=self._read, args=(started,))
        self.reader.start()
        started.wait()
        if self.address is None:
            self._reap()
            raise AssertionError(f"it did not start: {self.lines}")
        self.key = self.key_file.read_text().strip()

    def _read(self, started):
        for text in self.process.stderr:
            try:
                self.lines.append(json.loads(text))
            except ValueError:  # cut off by a kill
                continue
            if self.lines[-1].get("message") == "listening":
                self.address = self.lines[-1]["address"]
                started.set()
        started.set()

    def _reap(self, kill=True):
        if kill and self.process.poll() is None:
            self.process.kill()
        self.reader.join()
        self.process.stderr.close()
        return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._reap()

    def end(self, how=signal.SIGTERM):
        """Its exit status; all that it logged is in self.lines then."""
        self.process.send_signal(how)
        return self._reap(kill=False)

    def ask(self, method, path, body=None, key=None, fields=None):
        """The status and the text of the answer; as the first key, unless another is given."""
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json", **(fields or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
