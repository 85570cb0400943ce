# SPDX-License-Identifier: Apache-2.0
"""The changes of a cutover: what each of them shows before it asks, makes, and tells the arbiter of claims."""

from __future__ import annotations

import argparse
import os
import typing

import northwind

from . import claiming, exits, parallel
from .lines import text_file
from .terminal import Column, Output, Row
from .values import money, stamp

CHANGES = {
    "raise": "to the next stage, if the gate is open; shows what that moves, and asks", "lower": "to a lower threshold",
    "route-to-batch": "every new id goes to the batch", "resume-routing": "by the threshold again, if the gate is open; shows and asks",
    "stop-sending": "nothing more is submitted to the rail", "resume-sending": "submit again",
    "hand-back": "after a rollback: give the batch what nobody has claimed; shows and asks", "add-merchants": "merchants that take part",
    "override": "what holds for one merchant", "advance-epoch": "after a restore: to an epoch that is not older than the published one",
}
# Ids of one call.
MOST = 10_000
PAYOUT_REQUESTED = 1000 + int(northwind.EventType.PAYOUT_REQUESTED)
_NAMED = 20


def salt_of(options: argparse.Namespace) -> str:
    salt = options.salt or os.environ.get("NORTHWIND_CUTOVER_SALT")
    if not salt:
        raise exits.Complaint(exits.USAGE, "which salt? Give --salt, or set NORTHWIND_CUTOVER_SALT")
    return str(salt)


def _share_of(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"


# ---- Status ---------------------------------------------------------------------------------------------------


def _status_json(status: northwind.CutoverStatus) -> Row:
    return {
        "at": stamp(status.at), "epoch": status.epoch, "threshold": status.threshold, "stages": list(status.stages),
        "routed_to_batch": status.routed_to_batch, "sending_stopped": status.sending_stopped, "merchants": status.merchants,
        "allowed": status.allowed, "denied": status.denied, "residue": status.residue,
    }


def _status_pairs(status: northwind.CutoverStatus) -> list[tuple[str, typing.Any]]:
    return [
        ("threshold", f"{_share_of(status.threshold)} of merchants"), ("stages", ", ".join(map(_share_of, status.stages))),
        ("new ids", "all to the batch" if status.routed_to_batch else "by the threshold"),
        ("sending", "stopped" if status.sending_stopped else "as claimed"), ("merchants", f"{status.merchants:,}"),
        ("overrides", f"{status.allowed:,} allowed, {status.denied:,} denied"), ("residue", f"{status.residue:,}"), ("epoch", status.epoch),
    ]


def _published(options: argparse.Namespace, output: Output) -> int | None:
    """How the cutover stands is to be seen whether or not the arbiter can be reached."""
    try:
        with claiming.claims(options) as claims:
            return claims.published_epoch()
    except northwind.Error as error:
        output.note(f"the published epoch is not known: {exits.sentence_of(error)}")
        return None


def show_status(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    status = cutover.status()
    row, pairs = _status_json(status), _status_pairs(status)
    if options.action in ("status", "publish-epoch") and claiming.connection_of(options) is not None:
        row["published_epoch"] = published = _published(options, output)
        if published is not None:
            older = "; claims of this store are stale: docs/runbook-cutover.md" if published > status.epoch else ""
            pairs.append(("published", f"epoch {published}{older}"))
    output.facts(row, pairs)


# ---- What a threshold would move ------------------------------------------------------------------------------


def available(opened: northwind.Ledger) -> typing.Iterator[tuple[str, str, int]]:
    """What a merchant has available is what its next payout can be: the money that a threshold would move."""
    for account in opened.accounts("merchant:"):
        parts = account.name.split(":")
        if len(parts) == 4 and parts[2] == "available" and account.balance.available > 0:
            yield parts[1], account.asset, account.balance.available


def _share(share: northwind.CutoverShare) -> Row:
    return {"merchants": share.merchants, "units": {asset: str(units) for asset, units in share.units.items()}}


def preview_json(preview: northwind.CutoverPreview) -> Row:
    return {
        "merchants": preview.merchants, "units": {asset: str(units) for asset, units in preview.units.items()},
        "now": _share(preview.now), "then": _share(preview.then), "moved": list(preview.moved),
    }


def preview_pairs(
    preview: northwind.CutoverPreview, status: northwind.CutoverStatus, threshold: int
) -> list[tuple[str, typing.Any]]:
    now, then = preview.now, preview.then
    pairs: list[tuple[str, typing.Any]] = [
        ("threshold", f"{_share_of(status.threshold)} → {_share_of(threshold)}"),
        ("merchants", f"{now.merchants:,} → {then.merchants:,} of {preview.merchants:,}"),
    ]
    for asset, units in sorted(preview.units.items()):
        parts = [money(of.get(asset, 0), asset) for of in (now.units, then.units)]
        pairs.append(("their money", f"{parts[0]} → {parts[1]} of {money(units, asset)}"))
    return pairs


def _show_preview(preview: northwind.CutoverPreview, status: northwind.CutoverStatus, threshold: int, output: Output) -> None:
    """For somebody who is to say yes or no: not all names."""
    pairs = preview_pairs(preview, status, threshold)
    named = ", ".join(preview.moved[:_NAMED]) + (f" and {len(preview.moved) - _NAMED} more" if len(preview.moved) > _NAMED else "")
    output.facts({}, [*pairs, ("moves", named or "nobody")])


# ---- Up -------------------------------------------------------------------------------------------------------


def _target(status: northwind.CutoverStatus, options: argparse.Namespace) -> int:
    if options.action == "resume-routing":
        return status.threshold
    if options.force:
        if options.threshold is None:
            raise exits.Complaint(exits.USAGE, "raise --force needs a threshold")
        return int(options.threshold)
    following = next((stage for stage in status.stages if stage > status.threshold), None)
    if following is None:
        raise exits.Complaint(exits.STATE, f"the threshold is {status.threshold}, which is the last stage")
    if options.threshold not in (None, following):
        raise exits.Complaint(exits.STATE, f"the next stage is {following} basis points: raise to that, or use --force")
    return following


def _go_up(
    cutover: northwind.Cutover, run: northwind.ParallelRun | None, target: int, options: argparse.Namespace
) -> None:
    if options.action == "raise":
        if run is None:
            cutover.force_raise(target, options.actor, options.reason)
        else:
            cutover.raise_(run, options.actor, options.reason)
    elif run is None:
        cutover.force_resume_routing(options.actor, options.reason)
    else:
        cutover.resume_routing(run, options.actor, options.reason)


def _up(
    cutover: northwind.Cutover, opened: northwind.Ledger, run: northwind.ParallelRun | None, options: argparse.Namespace, output: Output
) -> int:
    status = cutover.status()
    target = _target(status, options)
    preview = cutover.preview(target, available(opened))
    row: Row = {"done": False, "preview": preview_json(preview), "gate": None}
    if not output.as_json:
        _show_preview(preview, status, target, output)
    if run is not None:
        # What was recorded since is a reason, too.
        run.catch_up()
        gate = run.gate()
        row["gate"] = parallel.gate_json(gate)
        if not output.as_json:
            output.facts({}, parallel.gate_pairs(gate))
        if not gate.open:
            if output.as_json:
                output.object(row)
            output.note("the gate is shut: nothing was changed")
            return exits.NO
    if not output.confirmed(options.yes, f"{options.action}{' without the gate' if run is None else ''}?"):
        return exits.NO
    _go_up(cutover, run, target, options)
    row.update(done=True, status=_status_json(cutover.status()))
    output.facts(row, _status_pairs(cutover.status()))
    return exits.OK


# ---- Hand-back ------------------------------------------------------------------------------------------------


def claim_json(claim: northwind.ClaimRecord | None) -> Row | None:
    return None if claim is None else {"system": str(claim.system), "epoch": claim.epoch, "at": stamp(claim.at)}


def residue_json(item: northwind.ResidueItem) -> Row:
    assignment = item.assignment
    return {
        "id": assignment.id, "merchant_id": assignment.merchant_id, "assigned_at": stamp(assignment.at),
        "claimed_by": str(item.claim.system) if item.claim is not None else None, "claim": claim_json(item.claim),
    }


RESIDUE = (Column("ID", "id"), Column("MERCHANT", "merchant_id"), Column("ASSIGNED", "assigned_at"), Column("CLAIMED BY", "claimed_by"))
_BECOMES = {None: "the batch's, if money is held for it", "batch": "off the list: the batch pays it", "northwind": "nothing: northwind sees it to its end"}


def _hand_back(cutover: northwind.Cutover, opened: northwind.Ledger, options: argparse.Namespace, output: Output) -> int:
    if bool(options.ids) == options.all:
        raise exits.Complaint(exits.USAGE, "which ids? Give them, or --all")
    if not cutover.status().routed_to_batch:
        output.note("new ids still go to northwind by the threshold: 'northwind cutover route-to-batch' first")
    for id_ in options.ids:
        cutover.find(id_)  # one that is not assigned is a slip, and nothing is done then
    with claiming.claims(options) as claims:
        asked = set(options.ids)
        rows = [residue_json(item) for item in cutover.residue(claims) if options.all or item.assignment.id in asked]
        if not output.as_json:
            output.rows((*RESIDUE, Column("BECOMES", lambda row: _BECOMES[row["claimed_by"]])), rows, empty="no residue")
        ids = [row["id"] for row in rows] if options.all else options.ids
        unclaimed = sum(row["claimed_by"] is None for row in rows)
        if ids and not output.confirmed(options.yes, f"hand {unclaimed:,} unclaimed of {len(ids):,} ids to the batch for good?"):
            return exits.NO
        # Older settings of other processes claim nothing from here on.
        cutover.publish_epoch(claims)
        names = ("handed", "kept", "before", "finished")
        total: Row = dict.fromkeys(names, 0)
        try:
            for begin in range(0, len(ids), MOST):
                result = cutover.hand_back(claims, ids[begin : begin + MOST], options.actor, options.reason, ledger=opened)
                for name in names:
                    total[name] += getattr(result, name)
        except northwind.Error:
            output.note("what was handed back stays so, and is in the audit log: run the same command again")
            raise
        output.facts(total)
        if total["handed"]:
            output.note("close the days of these payouts again, so that the parallel run hears that they are the batch's")
    return exits.OK


# ---- All changes ----------------------------------------------------------------------------------------------


def publish(cutover: northwind.Cutover, options: argparse.Namespace) -> None:
    with claiming.claims(options) as claims:
        cutover.publish_epoch(claims)


def _publish_change(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    """So that processes with older settings claim nothing. The change holds whether or not the arbiter hears of it now."""
    again = "'northwind cutover publish-epoch' tells it"
    if claiming.connection_of(options) is None:
        output.note(f"the arbiter of claims was not told of epoch {cutover.status().epoch}: {again}")
        return
    try:
        publish(cutover, options)
    except northwind.Error as error:
        reason = exits.sentence_of(error)
        raise exits.Complaint(exits.LATER, f"the change is made, but the arbiter of claims was not told: {reason}; {again}") from None


def _merchants(options: argparse.Namespace) -> list[str]:
    if bool(options.merchants) == bool(options.file):
        raise exits.Complaint(exits.USAGE, "which merchants? Name them, or give --file")
    if options.merchants:
        return list(options.merchants)
    with text_file(options.file) as file:
        try:
            return [name for line in file if (name := line.strip())]
        except UnicodeDecodeError as error:
            raise exits.Complaint(exits.BAD_INPUT, f"{options.file}: {exits.sentence_of(error)}") from None


def _make(cutover: northwind.Cutover, options: argparse.Namespace) -> None:
    if options.action == "lower":
        cutover.lower(options.threshold, options.actor, options.reason)
    elif options.action == "advance-epoch":
        cutover.advance_epoch(options.epoch, options.actor, options.reason)
    elif options.action == "add-merchants":
        merchants = _merchants(options)
        for begin in range(0, len(merchants), MOST):
            cutover.add_merchants(merchants[begin : begin + MOST], options.actor)
    elif options.action == "override":
        cutover.set_override(options.merchant, options.value, options.actor, options.reason)
    else:
        getattr(cutover, options.action.replace("-", "_"))(options.actor, options.reason)


def _decides(status: northwind.CutoverStatus) -> tuple[int, bool, bool]:
    return status.threshold, status.routed_to_batch, status.sending_stopped


def _simple(cutover: northwind.Cutover, options: argparse.Namespace, output: Output) -> None:
    before = _decides(cutover.status())
    try:
        _make(cutover, options)
    except northwind.Error as error:
        if _decides(cutover.status()) == before:
            raise
        # What goes down and cannot be written holds as long as the process lives: of a service, that is. This one ends now.
        sentence = f"this command closes the store, so nothing is changed: {exits.sentence_of(error)}"
        raise exits.Complaint(exits.status_of(error) or exits.LATER, sentence) from None
    show_status(cutover, options, output)


def change(cutover: northwind.Cutover, opened: northwind.Ledger, options: argparse.Namespace, output: Output) -> int:
    before = cutover.status().epoch
    status = exits.OK
    if options.action in ("raise", "resume-routing", "hand-back"):
        output.can_ask(options.yes, f"cutover {options.action}")
    if options.action == "hand-back":
        status = _hand_back(cutover, opened, options, output)
    elif options.action in ("raise", "resume-routing"):
        if options.force:
            status = _up(cutover, opened, None, options, output)
        else:
            with parallel.running(options, opened) as run:
                status = _up(cutover, opened, run, options, output)
    else:
        _simple(cutover, options, output)
    if cutover.status().epoch != before:
        _publish_change(cutover, options, output)
    return status
