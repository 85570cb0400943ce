# SPDX-License-Identifier: Apache-2.0
"""The reference server as a process, and a client of its API. Standard library only."""
import http.client
import json
import os
import pathlib
import signal
import subprocess
import threading
import urllib.parse


class ApiError(Exception):
    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body}")
        self.status, self.body = status, body


class Server:
    """Ends with the block, whatever becomes of it. `start` again after `kill` goes on with the same data at the same address."""

    def __init__(self, program, data, *flags, port=0):
        self.program, self.data, self.flags, self.port = program, pathlib.Path(data), flags, port
        self.key_file = self.data / "first.key"
        self.process = self.reader = None
        self.errors = []

    def start(self):
        plain = {name: value for name, value in os.environ.items() if not name.startswith("NORTHWIND_")}
        self.process = subprocess.Popen(
            [self.program, "--data", str(self.data), "--first-key", str(self.key_file), "--port", str(self.port), "--public-url",
             f"http://127.0.0.1:{self.port}", *self.flags] if self.port else
            [self.program, "--data", str(self.data), "--first-key", str(self.key_file), "--port", "0", *self.flags],
            env=plain, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            # Ctrl-C is for whoever started it, who then ends it in order.
            start_new_session=True)
        last = ""
        for last in self.process.stderr:
            line = json.loads(last)
            if line["message"] == "listening":
                self.port = urllib.parse.urlsplit(line["address"]).port
                break
        else:
            raise RuntimeError(f"the server did not start: {last.strip()}")
        # Lines of a log that nobody reads are dropped.
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        return self

    def _read(self, log):
        for text in log:
            if '"severity":"error"' in text:
                self.errors.append(text.strip())

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self):
        return self.key_file.read_text(encoding="ascii").strip()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def stop(self):
        """In order; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def _ended(self):
        status = self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        self.process = None
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self._ended() if self.reader else self.process.wait()


class Client:
    """One connection, which is made anew if it breaks. Not for two threads."""

    def __init__(self, server, key):
        self.server, self.key, self.connection = server, key, None

    def ask(self, method, path, body=None, lines=None, raw=False):
        """The answer's JSON (or its text, if `raw`); ApiError if it is a refusal, OSError if there is none."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}"}
        data = None
        if lines is not None:
            data, headers["Content-Type"] = "\n".join(lines).encode(), "application/x-ndjson"
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            self.connection.request(method, path, body=data, headers=headers)
            answer = self.connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise OSError(f"{method} {path}: {error!r}") from error
        if answer.status >= 400:
            raise ApiError(method, path, answer.status, text)
        if lines is not None:
            return [json.loads(line) for line in text.splitlines()]
        return text if raw else json.loads(text) if text else None

    def get(self, path, raw=False):
        return self.ask("GET", path, raw=raw)

    def post(self, path, body=None):
        return self.ask("POST", path, body={} if body is None else body)

    def pages(self, path):
        """All of a list."""
        mark, cursor = "&" if "?" in path else "?", None
        while True:
            page = self.get(path if cursor is None else f"{path}{mark}cursor={cursor}")
            yield from page["data"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def watch(self, path):
        """Events of a stream, as they come: (name, data)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise ApiError("GET", path, answer.status, answer.read().decode())
        return Stream(connection, answer)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Stream:
    def __init__(self, connection, answer):
        self.connection, self.answer = connection, answer

    def __iter__(self):
        fields = {}
        for line in iter(self.answer.readline, b""):
            text = line.decode().rstrip("\n")
            if not text and "data" in fields:
                yield fields.get("event", "message"), json.loads(fields["data"])
            if not text:
                fields = {}
            elif not text.startswith(":"):
                name, _, value = text.partition(":")
                fields[name] = value.removeprefix(" ")

    def close(self):
        self.connection.close()
