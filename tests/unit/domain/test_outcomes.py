"""What became of what people looked at: shares with their intervals, and the curve of a threshold."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from domain import outcomes
from schemas.load import of_topic

RECORDS = json.dumps([{"topic": "medical.settlement", "partition": 0, "offset": 1, "record_id": "S1"}])


def event(case_id: str, outcome: str = "", by: str = "wang", version: int = 2, **more: Any) -> dict[str, Any]:
    """A row of hub.case: closed with an outcome, or open without one."""
    fields = {"rule": "R02", "tier": "dibao", "fen": 500_001, "division": "990101001001", "records": RECORDS, **more}
    condition = {
        "rule": fields["rule"],
        "tier": fields["tier"],
        "records": fields["records"],
        "evidence": json.dumps({"self_pay_fen": fields["fen"]}),
    }
    return {
        "case_id": case_id,
        "version": version,
        "kind": "alert",
        "state": "closed" if outcome else "open",
        "closed_by": by if outcome else "",
        "outcome": outcome,
        "division": fields["division"],
        "conditions": [condition],
    }


def frame(*events: dict[str, Any]) -> pl.DataFrame:
    dtypes = of_topic("hub.case").dtypes
    full = [{name: e.get(name) for name in dtypes} for e in events]
    return pl.DataFrame(full, schema=dtypes, orient="row")


def test_only_what_a_person_closed_last_counts() -> None:
    rows = outcomes.looked_at(
        frame(
            event("a", "needs_aid"),
            event("b"),
            event("c", "fulfilled", by="data"),
            event("d", "not_true"),
            event("e", "not_true"),
            event("e", version=3),
            {"case_id": "owner:casework", "version": 0, "kind": "", "state": "", "closed_by": "", "conditions": []},
        )
    )
    assert rows["case_id"].to_list() == ["a", "d"]
    assert rows.row(0, named=True) == {
        "case_id": "a",
        "rule": "R02",
        "tier": "dibao",
        "township": "990101001",
        "source": "medical.settlement",
        "evidence": '{"self_pay_fen": 500001}',
        "found": True,
    }


def test_shares_with_wilsons_interval() -> None:
    events = [event(f"a{n}", "needs_aid") for n in range(8)] + [event(f"b{n}", "not_true") for n in range(2)]
    events += [event("c", "covered", rule="R01", tier="tekun", records="[]")]
    rows = outcomes.looked_at(frame(*events))
    first, second = outcomes.conversion(rows).to_dicts()
    # None of one: from 0 to z²/(1 + z²) = 3.8415 / 4.8415.
    assert (first["rule"], first["checked"], first["found"], first["low"]) == ("R01", 1, 0, 0.0)
    assert first["high"] == pytest.approx(0.7935, abs=1e-4)
    # Eight of ten: (0.8 + 0.19207 ± 1.96 √(0.016 + 0.009604)) / 1.38415.
    assert (second["checked"], second["found"], second["share"]) == (10, 8, 0.8)
    assert (second["low"], second["high"]) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    apart = outcomes.conversion(rows, ("source", "tier"))
    assert apart.select("source", "tier", "checked").rows() == [("", "tekun", 1), ("medical.settlement", "dibao", 10)]


def test_the_curve_of_a_threshold() -> None:
    closed = [(600_000, "not_true"), (700_000, "needs_aid"), (700_000, "not_true"), (900_000, "needs_aid")]
    rows = outcomes.looked_at(frame(*(event(str(n), o, fen=fen) for n, (fen, o) in enumerate(closed))))
    found = outcomes.curve(rows, "R02", "self_pay_fen")
    assert found.select("at_least", "alerts", "found", "missed").rows() == [
        (600_000, 4, 2, 0),
        (700_000, 3, 2, 0),
        (900_000, 1, 1, 1),
    ]
    assert outcomes.curve(rows, "R01", "self_pay_fen").is_empty()


def test_a_curve_has_so_many_thresholds_at_most() -> None:
    rows = outcomes.looked_at(frame(*(event(str(n), "needs_aid", fen=500_000 + n) for n in range(100))))
    found = outcomes.curve(rows, "R02", "self_pay_fen")
    assert found.height == outcomes.CUTS
    assert found["at_least"].to_list()[0] == 500_000
    assert found["at_least"].to_list()[-1] == 500_099
