"""Employment service: registrations, and relations of social insurance."""

from __future__ import annotations

from typing import Final

from connectors.fields import boolean, code, day, division, fen, integer, month
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

CONTRIBUTION: Final = Mapping(
    topic="employment.contribution",
    identity=Identity(id_number="certno", name="name"),
    division=division("division"),
    fields={
        "insurance": code(
            "insurance_code",
            {
                "110": "employee_pension",
                "120": "public_pension",
                "170": "resident_pension",
                "210": "unemployment",
                "410": "injury",
            },
        ),
        "employer_kind": code(
            "unit_kind",
            {
                "企业": "enterprise",
                "机关事业": "public",
                "个体工商户": "household_business",
                "灵活就业": "flexible",
                "无": "none",
            },
        ),
        "insured_division": division("insured_at"),
        "first_paid_on": month("first_month"),
        "last_paid_on": month("last_month"),
        "status": code("pay_status", {"1": "paid", "2": "suspended", "3": "stopped"}),
        "stop_reason": code(
            "stop_reason",
            {"离职": "left_work", "退休": "retired", "死亡": "died", "转出": "transferred", "其他": "other"},
        ),
    },
)

FEEDS: Final = {"status": STATUS, "contribution": CONTRIBUTION}
