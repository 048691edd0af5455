"""Water bureau: how safe families' drinking water is."""

from __future__ import annotations

from typing import Final

from connectors.fields import code, day, division
from connectors.mapping import Identity, Mapping

SUPPLY: Final = Mapping(
    topic="water.supply",
    identity=Identity(id_number="certno", name="name"),
    division=division("division"),
    fields={
        "grade": code("grade", {"安全": "safe", "基本安全": "basic", "不安全": "unsafe"}),
        "assessed_on": day("assess_date"),
        "repaired_on": day("repair_date"),
    },
)

FEEDS: Final = {"supply": SUPPLY}
