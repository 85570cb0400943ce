#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our signatures against the reference implementation of Standard Webhooks, each on what the other signed.

    NORTHWIND_SIGNATURE_TOOL=build/release/tests/webhook/webhook_signature_tool .venv/bin/python tests/webhook/reference_test.py

The reference (`standardwebhooks` of PyPI) knows v1 only. For v1a, libsodium's ed25519 (`pynacl`) stands in for it, on a
text that is put together here. NORTHWIND_TEST_SEED repeats a run; the seed is printed.
"""
import base64
import datetime
import os
import pathlib
import random
import subprocess
import time
import unittest

import nacl.exceptions
import nacl.signing
import standardwebhooks

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = pathlib.Path(
    os.environ.get("NORTHWIND_SIGNATURE_TOOL", ROOT / "build/release/tests/webhook/webhook_signature_tool")
).resolve()
SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
ROUNDS = 100


class Tool:
    """The C++ side."""

    def __init__(self):
        self.process = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(f"the tool ended at {words}")
        return answer.rstrip("\n")

    def generate(self, scheme):
        return self.ask("generate", scheme).split(" ")

    def sign(self, message, *keys):
        return self.ask("sign", message.id, message.timestamp, message.body.hex() or "-", *keys)

    def verify(self, message, signature, *keys, now=None):
        return self.ask("verify", message.id, message.timestamp, now or message.timestamp, message.body.hex() or "-",
                        signature.encode().hex(), *keys)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=60)


class Message:
    def __init__(self, rng):
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
        self.id = "msg_" + "".join(rng.choices(letters, k=rng.randrange(1, 40)))
        self.timestamp = int(time.time())  # the reference takes no other clock
        # Any text, as the reference decodes bodies as UTF-8.
        self.body = "".join(chr(rng.choice([rng.randrange(128), rng.randrange(0x80, 0xD800), rng.randrange(0x10000, 0x110000)]))
                            for _ in range(rng.randrange(200))).encode()

    def altered(self, rng):
        """The same with one part changed."""
        other = Message.__new__(Message)
        other.__dict__ = dict(self.__dict__)
        part = rng.randrange(3)
        if part == 0:
            other.id += "x"
        elif part == 1:
            other.timestamp -= 1
        else:
            text = self.body.decode()
            place = rng.randrange(len(text) + 1)
            other.body = (text[:place] + "!" + text[place:]).encode()
        return other

    def headers(self, signature):
        return {"webhook-id": self.id, "webhook-timestamp": str(self.timestamp), "webhook-signature": signature}

    def text(self):
        return f"{self.id}.{self.timestamp}.".encode() + self.body


def reference_accepts(secret, message, signature):
    try:
        standardwebhooks.Webhook(secret).verify(message.body, message.headers(signature), json_parse=False)
        return True
    except standardwebhooks.WebhookVerificationError:
        return False


def reference_sign(secret, message):
    at = datetime.datetime.fromtimestamp(message.timestamp, tz=datetime.timezone.utc)
    return standardwebhooks.Webhook(secret).sign(message.id, at, message.body.decode())


def sodium_accepts(public, message, signatures):
    key = nacl.signing.VerifyKey(base64.b64decode(public.removeprefix("whpk_"), validate=True))
    for entry in signatures.split(" "):
        version, signature = entry.split(",")
        if version != "v1a":
            continue
        try:
            key.verify(message.text(), base64.b64decode(signature, validate=True))
            return True
        except nacl.exceptions.BadSignatureError:
            pass
    return False


class Reference(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(SEED)
        self.tool = Tool()

    def tearDown(self):
        self.assertEqual(self.tool.close(), 0)

    def fresh_secret(self):
        return "whsec_" + base64.b64encode(self.rng.randbytes(self.rng.randrange(24, 65))).decode()

    def test_the_reference_accepts_what_we_sign_and_refuses_it_altered(self):
        for _ in range(ROUNDS):
            message = Message(self.rng)
            secret, shown = self.tool.generate("v1")
            self.assertEqual(secret, shown)
            signature = self.tool.sign(message, secret)
            self.assertTrue(reference_accepts(shown, message, signature))
            self.assertFalse(reference_accepts(shown, message.altered(self.rng), signature))
            self.assertFalse(reference_accepts(self.fresh_secret(), message, signature))

    def test_we_accept_what_the_reference_signs_and_refuse_it_altered(self):
        for _ in range(ROUNDS):
            message = Message(self.rng)
            secret = self.fresh_secret()
            signature = reference_sign(secret, message)
            self.assertEqual(self.tool.verify(message, signature, secret), "OK")
            self.assertEqual(self.tool.verify(message.altered(self.rng), signature, secret), "UNAUTHENTICATED")
            self.assertEqual(self.tool.verify(message, signature, self.fresh_secret()), "UNAUTHENTICATED")

    def test_both_sign_alike(self):
        for _ in range(ROUNDS):
            message = Message(self.rng)
            secret = self.fresh_secret()
            self.assertEqual(self.tool.sign(message, secret), reference_sign(secret, message))

    def test_the_reference_accepts_either_secret_of_a_rotation(self):
        message = Message(self.rng)
        new, old, private = self.fresh_secret(), self.fresh_secret(), self.tool.generate("v1a")[0]
        signature = self.tool.sign(message, new, old, private)
        self.assertEqual([entry.split(",")[0] for entry in signature.split(" ")], ["v1", "v1", "v1a"])
        for secret in (new, old):
            self.assertTrue(reference_accepts(secret, message, signature))
        self.assertFalse(reference_accepts(self.fresh_secret(), message, signature))

    def test_both_refuse_what_is_older_or_newer_than_five_minutes(self):
        for shift in (-400, 400):
            message = Message(self.rng)
            now = message.timestamp
            message.timestamp += shift
            secret = self.fresh_secret()
            signature = self.tool.sign(message, secret)
            self.assertFalse(reference_accepts(secret, message, signature))
            self.assertEqual(self.tool.verify(message, signature, secret, now=now), "OUT_OF_RANGE")
            self.assertEqual(self.tool.verify(message, signature, secret), "OK")

    def test_libsodium_accepts_what_we_sign_with_ed25519_and_refuses_it_altered(self):
        for _ in range(ROUNDS):
            message = Message(self.rng)
            private, public = self.tool.generate("v1a")
            signature = self.tool.sign(message, private, self.fresh_secret())
            self.assertTrue(sodium_accepts(public, message, signature))
            self.assertFalse(sodium_accepts(public, message.altered(self.rng), signature))
            self.assertFalse(sodium_accepts(self.tool.generate("v1a")[1], message, signature))

    def test_we_accept_what_libsodium_signs_and_refuse_it_altered(self):
        for _ in range(ROUNDS):
            message = Message(self.rng)
            key = nacl.signing.SigningKey(self.rng.randbytes(32))
            public = "whpk_" + base64.b64encode(bytes(key.verify_key)).decode()
            signature = "v1a," + base64.b64encode(key.sign(message.text()).signature).decode()
            self.assertEqual(self.tool.verify(message, signature, public), "OK")
            self.assertEqual(self.tool.verify(message.altered(self.rng), signature, public), "UNAUTHENTICATED")
            private = "whsk_" + base64.b64encode(bytes(key) + bytes(key.verify_key)).decode()
            self.assertEqual(self.tool.sign(message, private), signature)


if __name__ == "__main__":
    print(f"NORTHWIND_TEST_SEED={SEED}", flush=True)
    unittest.main()
