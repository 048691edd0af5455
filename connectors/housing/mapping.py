"""Housing bureau: safety appraisals."""

from __future__ import annotations

from typing import Final

from connectors.fields import code, day, division, integer
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

FEEDS: Final = {"appraisal": APPRAISAL}
