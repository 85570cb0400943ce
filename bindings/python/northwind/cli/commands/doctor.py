# SPDX-License-Identifier: Apache-2.0
"""northwind doctor"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
import typing

import northwind

from .. import exits
from ..opening import InUse, in_use, is_store, settling, store_path
from ..terminal import Output, Row
from ..values import seconds, size

NAME = "doctor"
HELP = "look for what will make trouble, and explain it"
DESCRIPTION = """\
Disk, free space, how long a write takes to be durable, settings, what the store says of itself, and what waits for somebody: quarantine and dead
letters. A store that is open elsewhere is looked at from outside. Writes one small file beside the journal, and removes it. Status 1 if
something is bad."""
EXAMPLES = ("northwind doctor -s ledger.db", "northwind doctor -s ledger.db --json | jq -r 'select(.verdict != \"good\") | .what'")
_GOOD, _LOOK, _BAD = "good", "look", "bad"
_SYNCS = 64
_SYNC_BYTES = 4096
_FLOOR = 256 << 20
_MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")
_NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs")
# RocksDB keeps all its tables open; this many are a ledger of some hundred million transactions.
_OPEN_FILES = 4096
# A disk that is done sooner has not been asked, or keeps what it was given in memory that a power cut empties.
_TOO_FAST_SECONDS = 20e-6
_SLOW_SECONDS = 20e-3

Finding = tuple[str, str, str, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    pass


def _mount(path: str) -> tuple[str, str, str]:
    """File system, options and device (major:minor) of the mount that holds a path."""
    real = os.path.realpath(path)
    best: tuple[str, tuple[str, str, str]] = ("", ("unknown", "", ""))
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            left, _, right = line.partition(" - ")
            fields, kind = left.split(), right.split()
            point = fields[4].replace("\\040", " ")
            if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best[0]):
                best = (point, (kind[0], fields[5], fields[2]))
    return best[1]


def _nearest(path: str) -> str:
    """The directory itself, or the one that it would be made in."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _file_system(directory: str) -> typing.Iterator[Finding]:
    kind, options, device = _mount(directory)
    if kind in _MEMORY_FILE_SYSTEMS:
        yield _BAD, "file system", kind, "This is memory: a reboot empties it. Put the store on a disk."
    elif kind in _NETWORK_FILE_SYSTEMS:
        yield _LOOK, "file system", kind, "Locks and syncs over a network are only as good as the server. Prefer a local disk."
    elif kind == "overlay":
        yield _LOOK, "file system", kind, "A container's own layer goes away with it. Put the store on a volume."
    else:
        yield _GOOD, "file system", kind, ""
    if "nobarrier" in options.split(",") or "barrier=0" in options.split(","):
        yield _BAD, "mount options", options, "Without barriers a sync does not reach the disk. Mount without that option."
    try:
        cache = f"/sys/dev/block/{device}/queue/write_cache"
        if not os.path.exists(cache):
            cache = f"/sys/dev/block/{device}/../queue/write_cache"
        with open(cache, encoding="ascii") as file:
            mode = file.read().strip()
        yield _GOOD, "disk's write cache", mode, "Emptied by every sync." if mode == "write back" else ""
    except OSError:
        pass


def _free_space(directory: str, options: argparse.Namespace) -> Finding:
    usage = shutil.disk_usage(directory)
    floor = _FLOOR if options.free_space_floor is None else options.free_space_floor << 20
    text = f"{size(usage.free)} of {size(usage.total)}"
    if usage.free < floor:
        return _BAD, "free space", text, f"Below the floor of {size(floor)} every write is refused. Free some."
    if usage.free < 4 * floor:
        return _LOOK, "free space", text, f"Below {size(floor)} writes will be refused."
    return _GOOD, "free space", text, ""


def _sync_latency(directory: str) -> Finding:
    took = []
    with tempfile.NamedTemporaryFile(prefix=".northwind-doctor-", dir=directory) as file:
        for _ in range(_SYNCS):
            os.write(file.fileno(), b"\0" * _SYNC_BYTES)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    took.sort()
    median, worst = took[len(took) // 2], took[-1]
    text = f"{median * 1000:.2f} ms (slowest of {_SYNCS}: {worst * 1000:.2f} ms)"
    if median < _TOO_FAST_SECONDS:
        return _LOOK, "sync of 4 KiB", text, "Faster than any disk: whether it is durable is for you to find out."
    if median > _SLOW_SECONDS:
        return _LOOK, "sync of 4 KiB", text, "Each commit waits for one. Commit larger batches, or take a faster disk."
    return _GOOD, "sync of 4 KiB", text, f"Some {1 / median:,.0f} commits a second from one thread; batches make it many more transactions."


def _limits() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        return _LOOK, "open files", f"{soft}", f"A large store has many files open. Raise it (ulimit -n) to {_OPEN_FILES} or more; {hard} is allowed."
    return _GOOD, "open files", f"{soft}", ""


def _libraries() -> Finding:
    there = [name for name in ("numpy", "pyarrow", "matplotlib") if importlib.util.find_spec(name) is not None]
    text = f"northwind {northwind.__version__}, Python {platform.python_version()}"
    return _GOOD, "software", f"{text}, {', '.join(there) or 'no optional packages'}", ""


def _access(path: str) -> Finding | None:
    if not os.path.isdir(path):
        return _LOOK, "store", f"none at {path}", "'northwind init' makes one."
    if not is_store(path):
        return _BAD, "store", f"{path} is no store", "It is a directory of something else. Choose another."
    unwritable = [name for name in sorted(os.listdir(path)) if not os.access(os.path.join(path, name), os.R_OK | os.W_OK)]
    if unwritable or not os.access(path, os.W_OK | os.X_OK):
        return _BAD, "rights", f"{unwritable[0] if unwritable else path} cannot be written", "Run as the user that owns the store, or give it its files."
    return None


def _inside(options: argparse.Namespace) -> typing.Iterator[Finding]:
    begun = time.monotonic()
    with settling(options) as parts:
        took = time.monotonic() - begun
        opened, stats = parts.ledger, parts.ledger.stats()
        yield _GOOD, "store", f"opened in {took:.2f} s, {stats.replayed_at_open:,} records replayed", ""
        yield _GOOD, "journal", f"{stats.head.sequence:,} records, head {stats.head.sequence}:{stats.head.hash.hex()}", (
            "Keep the head somewhere else: it proves later that nothing is lost ('northwind verify --expect')."
        )
        yield _GOOD, "contents", f"{stats.accounts:,} accounts, {stats.open_holds:,} open holds, {size(stats.disk_bytes)} on disk", ""
        if opened.store.shadow:
            yield _LOOK, "shadow", "yes", "What is computed here leaves it nowhere: no payouts, no webhooks."
        if stats.head.sequence:
            last = next(opened.journal(stats.head.sequence - 1))
            ahead = last.recorded_at_ns - time.time_ns()
            if ahead > 1_000_000_000:
                yield _BAD, "clock", f"the last record is of {seconds(last.recorded_at_ns)}", (
                    "That is in the future: this clock, or the one it was recorded by, is wrong. Records go on from there, a nanosecond each."
                )
            else:
                yield _GOOD, "clock", f"the last record is of {seconds(last.recorded_at_ns)}", ""
        count = sum(1 for _ in parts.intake.quarantine())
        if count:
            yield _LOOK, "quarantine", f"{count:,} events", "Each is money that has not moved: 'northwind quarantine list' says why."
        if parts.intake.parked:
            yield _LOOK, "waiting events", f"{parts.intake.parked:,}", "They wait for an event that has not come, such as a refund for its payment."
        for queue in parts.scheduler.stats().queues:
            if queue.dead:
                yield _LOOK, "dead letters", f"{queue.dead:,} in {queue.queue}", "'northwind deadletters list' says why; redrive them once that is mended."


def _findings(options: argparse.Namespace) -> typing.Iterator[Finding]:
    path = store_path(options)
    directory = _nearest(path)
    yield _libraries()
    yield from _file_system(directory)
    yield _free_space(directory, options)
    if os.access(directory, os.W_OK | os.X_OK):
        yield _sync_latency(directory)
    yield _limits()
    access = _access(path)
    if access is not None:
        yield access
        return
    if in_use(path):
        yield _GOOD, "store", "open in another process", "What is in it was not looked at."
        return
    try:
        yield from _inside(options)
    except InUse:
        yield _GOOD, "store", "open in another process", "What is in it was not looked at."
    except northwind.Error as error:
        yield _BAD, "store", exits.sentence_of(error), _ADVICE.get(type(error), "The message says what is wrong.")


_ADVICE: dict[type[northwind.Error], str] = {
    northwind.DataLoss: "Stop, and keep the directory. Restore a checkpoint, and send again what came after it.",
    northwind.ResourceExhausted: "Free disk space.",
    northwind.PermissionDenied: "Run as the user that owns the store.",
}
_MARKS = {_GOOD: "✓", _LOOK: "!", _BAD: "✗"}


def run(options: argparse.Namespace, output: Output) -> int:
    worst = _GOOD
    for verdict, what, found, advice in _findings(options):
        worst = verdict if verdict == _BAD or worst == _GOOD else worst
        row: Row = {"verdict": verdict, "what": what, "found": found, "advice": advice}
        if output.as_json:
            output.object(row)
            continue
        output.line(f"{_MARKS[verdict]} {what}: {found}")
        if advice:
            output.line(f"    {advice}")
        sys.stdout.flush()
    return exits.NO if worst == _BAD else exits.OK
