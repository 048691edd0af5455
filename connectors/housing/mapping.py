"""Housing bureau: safety appraisals, and how families are housed."""

from __future__ import annotations

from typing import Final

from connectors.fields import code, day, division, dm2, integer
from connectors.mapping import Identity, Mapping

APPRAISAL: Final = Mapping(
    topic="housing.appraisal",
    identity=Identity(id_number="certno", name="name"),
    division=division("division"),
    fields={
        "grade": code("grade", ("A", "B", "C", "D")),
        "appraised_on": day("appraise_date"),
        "built_year": integer("built_year", 1800, 2200),
        "repaired_on": day("repair_date"),
    },
)

TENANCY: Final = Mapping(
    topic="housing.tenancy",
    identity=Identity(id_number="certno", name="name"),
    division=division("division"),
    fields={
        "tenure": code("tenure", {"自有": "owned", "租赁": "rented", "借住": "lodging", "无房": "homeless"}),
        "area_per_head_dm2": dm2("area_per_head"),
        "surveyed_on": day("survey_date"),
        "support": code("support", {"公租房": "public_rental", "租赁补贴": "rent_subsidy", "无": "none"}),
        "support_from": day("support_from"),
        "support_until": day("support_until"),
    },
)

FEEDS: Final = {"appraisal": APPRAISAL, "tenancy": TENANCY}
