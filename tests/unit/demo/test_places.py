"""Every village of the demo's county, and its town, has a name of its own in both languages."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from domain.divisions import load
from doudi.demo import places
from doudi.demo.people import settle


def test_every_place_where_people_live_is_named(tmp_path: Path) -> None:
    table = tmp_path / "divisions.yaml"
    places.write(table)
    named = {n.code: n for n in load(table).on(date(2026, 6, 30))}
    villages = set(settle(5000, date(2026, 6, 30), np.random.default_rng(1)).frame["division"])
    assert villages <= named.keys()
    assert {v[:9] for v in villages} <= named.keys()
    assert "990101" in named
    for zh, en in ([n.zh, n.en] for n in named.values()):
        assert zh
        assert en
    towns = [n.zh for c, n in named.items() if len(c) == 9]
    assert len(set(towns)) == len(towns) == 10
