"""Disabled persons' federation: certificates. The certificate number contains the ID, so it is hashed."""

from __future__ import annotations

from typing import Final

from connectors.fields import code, day, division, integer
from connectors.mapping import Identity, Mapping

CARD: Final = Mapping(
    topic="disability.card",
    identity=Identity(
        id_number="certno",
        name="name",
        telephone="tel",
        guardian_id="guardian_certno",
        guardian_name="guardian_name",
        card_no="card_no",
    ),
    division=division("division"),
    fields={
        "category": integer("category", 1, 7),
        "grade": integer("grade", 1, 4),
        "status": code("status", ("active", "cancelled", "expired")),
        "first_issued_on": day("first_issue_date"),
        "issued_on": day("issue_date"),
        "assessed_on": day("assess_date"),
        "valid_until": day("valid_until"),
    },
)

FEEDS: Final = {"card": CARD}
