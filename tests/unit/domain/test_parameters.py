"""Dated parameters: the most specific region, then the latest date."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from domain.parameters import Parameter

PARAMETER = Parameter.model_validate(
    {
        "id": "line",
        "title": {"zh": "线", "en": "line"},
        "unit": "fen",
        "by_tier": True,
        "values": [
            {"value": 100, "from": date(2020, 1, 1), "tiers": ["tekun", "none"], "product_default": True},
            {"value": 200, "from": date(2026, 7, 1), "tiers": ["tekun"], "product_default": True},
            {"value": 300, "from": date(2024, 1, 1), "region": "34", "tiers": ["tekun"], "product_default": True},
            {
                "value": 400,
                "from": date(2025, 1, 1),
                "region": "3407",
                "tiers": ["tekun"],
                "source": {"zh": "甲", "en": "A", "ref": "文件'一'"},
            },
        ],
    }
)


@pytest.mark.parametrize(
    ("division", "day", "tier", "value"),
    [
        ("990101001001", "2026-06-30", "tekun", 100),
        ("990101001001", "2026-07-01", "tekun", 200),
        ("341323001001", "2023-12-31", "tekun", 100),
        ("341323001001", "2026-07-01", "tekun", 300),  # a region's own value outlives a later national one
        ("340705001001", "2024-12-31", "tekun", 300),
        ("340705001001", "2025-01-01", "tekun", 400),
        ("990101001001", "2026-07-01", "", 100),
        ("990101001001", "2019-12-31", "tekun", None),
        ("990101001001", "2026-07-01", "dibao", None),
    ],
)
@pytest.mark.parametrize("literal", [True, False])
def test_value_in_force(division: str, day: str, tier: str, value: int | None, literal: bool) -> None:
    sql = PARAMETER.value_sql(f"'{tier}'" if literal else "tier")
    query = f"select {sql} from (select ? as division, ?::date as law_on, ? as tier)"
    con = duckdb.connect()
    assert con.execute(query, [division, day, tier]).fetchall() == [(value,)]
    con.close()


def test_the_key_in_force_finds_its_authority() -> None:
    con = duckdb.connect()
    ((key,),) = con.execute(
        f"select {PARAMETER.key_sql('line', 'tier')} "
        "from (select '340705' as division, date '2025-06-01' as law_on, 'tekun' as tier)"
    ).fetchall()
    con.close()
    assert key == "line=400@2025-01-01/3407/tekun"
    assert '"source": "文件\'一\'"' in PARAMETER.authorities("line")[key]


def test_gaps_are_the_tiers_without_a_value_from_the_beginning() -> None:
    assert PARAMETER.gaps() == ["dibao", "bianyuan", "gangxing", "jiance", "qita"]
