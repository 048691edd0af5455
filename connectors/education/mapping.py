"""Education bureau: pupils and students."""

from __future__ import annotations

from typing import Final

from connectors.fields import boolean, code, day, division, integer
from connectors.mapping import Identity, Mapping

ENROLMENT: Final = Mapping(
    topic="education.enrolment",
    identity=Identity(id_number="certno", name="name", guardian_id="guardian_certno", guardian_name="guardian_name"),
    division=division("division"),
    fields={
        "stage": code("stage", ("preschool", "primary", "junior", "senior", "vocational", "higher")),
        "status": code("status", ("enrolled", "suspended", "left", "graduated")),
        "enrolled_on": day("enrol_date"),
        "ended_on": day("end_date"),
        "absent_days": integer("absent_days", 0, 400),
        "student_aid": boolean("student_aid"),
        "yulu": boolean("yulu"),
    },
)

FEEDS: Final = {"enrolment": ENROLMENT}
