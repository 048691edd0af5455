"""Employment service: registrations."""

from __future__ import annotations

from typing import Final

from connectors.fields import boolean, code, day, division, fen, integer
from connectors.mapping import Identity, Mapping

STATUS: Final = Mapping(
    topic="employment.status",
    identity=Identity(id_number="certno", name="name"),
    division=division("division"),
    fields={
        "status": code("status", ("employed", "unemployed", "not_seeking")),
        "since_on": day("since_date"),
        "able": boolean("able"),
        "refusals": integer("refusals", 0, 99),
        "wage_fen": fen("wage"),
        "helped_on": day("help_date"),
    },
)

FEEDS: Final = {"status": STATUS}
