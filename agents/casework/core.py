"""Casework without its transport: slices of conditions and commands in, events into the outbox."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl

from agents.casework.store import COMMANDS, CONDITIONS, CaseStore, Epochs, Event, answers, case_of
from agents.columns import instants
from domain.cases import Answer, CaseEvent, Command, Condition, Docket, Policy, fold, handle
from domain.cases.model import group_of, tally_of

log = logging.getLogger("doudi.casework")

OWNER = "owner"
_CONDITION = tuple(f.name for f in fields(Condition) if f.name not in ("offset", "standing"))
_COMMAND = tuple(f.name for f in fields(Command) if f.name != "offset")


@dataclass(slots=True)
class Casework:
    """Applies records to the state. ``counts``: records refused, deadlines that no calendar could tell."""

    store: CaseStore
    policy: Policy
    counts: Counter[str]

    def __init__(self, store: CaseStore, policy: Policy) -> None:
        self.store, self.policy, self.counts = store, policy, Counter()

    @property
    def condition_position(self) -> int:
        """Next offset of hub.condition."""
        return self.store.position(CONDITIONS)

    @property
    def command_position(self) -> int:
        """Next offset of hub.command."""
        return self.store.position(COMMANDS)

    def apply(self, conditions: pl.DataFrame | None = None, commands: pl.DataFrame | None = None) -> list[Event]:
        """Apply decoded records (schema columns and ``_offset``) in one transaction.

        Records below the stored positions and records of owners that were replaced change nothing.
        Returns what is to be published, which by then stands in the outbox.
        """
        epochs = self.store.epochs
        rows = list(self._conditions(conditions, epochs))
        orders = list(self._commands(commands))
        docket = self.store.docket(
            (r.condition_id for r in rows),
            {_group(r) for r in rows if r.kind == "alert"},
            (o.case_id for o in orders),
            (o.command_id for o in orders),
            {self.policy.tally(r) for r in rows},
        )
        events = self._fold(docket, rows)
        docket.condition_position = _behind(conditions, docket.condition_position)
        events += [handle(docket, order, self.policy) for order in orders]
        docket.command_position = _behind(commands, docket.command_position)
        return self.store.save(docket, events, epochs)

    def _fold(self, docket: Docket, rows: Iterable[Condition]) -> list[CaseEvent]:
        events = []
        for row in rows:
            event = fold(docket, row, self.policy)
            if event is None:
                continue
            events.append(event)
            if event.event in ("opened", "reopened") and row.deadline_days > 0 and event.case.due_on is None:
                self.counts["undated"] += 1
        return events

    def _conditions(self, frame: pl.DataFrame | None, epochs: Epochs) -> Iterator[Condition]:
        start = self.condition_position
        for row in _rows(frame, _CONDITION, "state", "stage", "state_partition", "epoch"):
            if row["_offset"] < start:
                continue
            owner = (row["stage"], row["state_partition"])
            if row["state"] == OWNER:
                # The epoch is the offset at which the owner's record was acknowledged.
                epochs[owner] = max(epochs.get(owner, -1), row["_offset"])
                continue
            if row["epoch"] < epochs.get(owner, -1):
                self.counts["stale_epoch"] += 1
                continue
            epochs[owner] = row["epoch"]
            yield Condition(
                offset=row["_offset"], standing=row["state"] == "standing", **{f: row[f] for f in _CONDITION}
            )

    def _commands(self, frame: pl.DataFrame | None) -> Iterator[Command]:
        start = self.command_position
        for row in _rows(frame, _COMMAND):
            if row["_offset"] >= start:
                yield Command(offset=row["_offset"], **{f: row[f] for f in _COMMAND})


def epochs_of(frame: pl.DataFrame, epochs: Epochs) -> None:
    """Take the greatest epoch of each owner from decoded records of hub.condition."""
    opens = (frame["state"] == OWNER).to_numpy()
    seen = np.where(opens, frame["_offset"].to_numpy(), frame["epoch"].to_numpy()).tolist()
    owners = zip(frame["stage"].to_list(), frame["state_partition"].to_list(), seen, strict=True)
    for stage, partition, epoch in set(owners):
        epochs[stage, partition] = max(epochs.get((stage, partition), -1), epoch)


class Rebuild:
    """Casework's state out of hub.case, when the file is lost, old, or another owner wrote since."""

    def __init__(self) -> None:
        self.docket = Docket()
        self.epoch = -1

    def read(self, frame: pl.DataFrame) -> None:
        """Take decoded records of hub.case (schema columns and ``_offset``) in the order of the log."""
        for row in instants(frame).to_dicts():
            if row["event"] == OWNER:
                self.epoch = max(self.epoch, row["_offset"])
            elif row["epoch"] >= self.epoch:
                self.epoch = row["epoch"]
                self._take(row)

    def _take(self, row: Mapping[str, Any]) -> None:
        case, docket = case_of(row), self.docket
        known = docket.cases.get(case.case_id)
        if case.kind and (known is None or known.version < case.version):
            docket.take(case)
            if row["event"] == "opened":
                rule = case.conditions[0].rule
                tally = tally_of(rule, case.division, case.level, case.opened_at, baseline=case.baseline)
                if tally:
                    docket.count(tally)
        docket.condition_position = max(docket.condition_position, row["condition_position"])
        docket.command_position = max(docket.command_position, row["command_position"])
        if answers(row["command_id"], row["event"], row["refusal"]):
            docket.remember(row["command_id"], Answer(case.case_id, row["refusal"]))


def _rows(frame: pl.DataFrame | None, *names: Any) -> Iterator[dict[str, Any]]:
    if frame is None or frame.is_empty():
        return iter(())
    columns: list[str] = [*names[0], *names[1:], "_offset"]
    return instants(frame[columns]).iter_rows(named=True)


def _behind(frame: pl.DataFrame | None, position: int) -> int:
    if frame is None or frame.is_empty():
        return position
    return max(position, int(frame["_offset"].max()) + 1)  # type: ignore[arg-type]


def _group(row: Condition) -> tuple[str, str, str, str]:
    return group_of(row.kind, row.rule_class, row.department, row.household_key or row.subject_key)
