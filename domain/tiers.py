"""The six tiers of the low-income roster and their precedence. A person may be in several at once."""

from __future__ import annotations

from typing import Final

TIERS: Final = ("tekun", "dibao", "bianyuan", "gangxing", "jiance", "qita")
"""特困, 低保, 低保边缘, 刚性支出困难, 防止返贫监测对象, 其他困难; the first in force is the primary one."""

OFF_ROSTER: Final = "none"
"""How parameters call the people of no tier."""

TITLES: Final[dict[str, tuple[str, str]]] = {
    "tekun": ("特困人员", "destitute persons in state care"),
    "dibao": ("低保对象", "minimum living allowance"),
    "bianyuan": ("低保边缘家庭成员", "borderline of the minimum living allowance"),
    "gangxing": ("刚性支出困难家庭成员", "families with unavoidable expenditure"),
    "jiance": ("防止返贫监测对象", "watched against falling back into poverty"),
    "qita": ("其他困难人员", "other persons in difficulty"),
    OFF_ROSTER: ("非在册人员", "not on the roster"),
}
"""Titles in Chinese and English."""


def macros() -> tuple[str, ...]:
    """SQL macros ``tier_place(tier)`` (1 is first, NULL for an unknown code) and ``tier_at(place)``."""
    places = " ".join(f"when '{tier}' then {place}" for place, tier in enumerate(TIERS, 1))
    tiers = " ".join(f"when {place} then '{tier}'" for place, tier in enumerate(TIERS, 1))
    return (
        f"create or replace temp macro tier_place(tier) as case tier {places} end",
        f"create or replace temp macro tier_at(place) as case place {tiers} end",
    )
