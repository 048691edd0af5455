"""An income sheet on the whole hub: saved at a household's alert, it decides the rules that need income."""

from __future__ import annotations

import uuid
from typing import Any

from tests.ids import test_id
from tests.integration.test_whole_endings import TODAY, bill
from tests.whole import VILLAGE, Whole


def member(whole: Whole, number: int, *, head: bool) -> str:
    """Somebody of household H901, not on the roster."""
    whole.insert(
        "civil",
        "household_member",
        member_id=f"M{number}",
        household_no="H901",
        id_number=test_id(number),
        name="测甲子",
        relation="户主" if head else "配偶",
        is_head=head,
        joined_on=TODAY.replace(month=1, day=1),
        division=VILLAGE,
    )
    return test_id(number)


def test_a_sheet_decides_what_was_unknown(whole: Whole) -> None:
    first, _ = member(whole, 901, head=True), member(whole, 902, head=False)
    for number, key in ((901, "S901"), (901, "S902"), (902, "S903"), (902, "S904")):
        bill(whole, number, key, "6500.00")  # nobody's own line is reached, the household's is
    home = whole.household("H901")
    with whole.gateway("county", "civil", "9901") as county:
        path = f"/v1/alerts/{whole.case_about('H01', home)}/sheet"
        begun = county.get(path)
        assert (begun.json()["asked"], len(begun.json()["members"])) == ("answered", 2)
        assert all(m.keys() == {"ability"} for m in begun.json()["members"])
        assert whole.person(first) not in begun.text

        def save(wages: int, version: int) -> dict[str, Any]:
            rows = [{"age": 40, "ability": "full", "no_income": True} for _ in begun.json()["members"]]
            rows[0] |= {"no_income": False, "incomes": [{"kind": "wages", "year_fen": wages}]}
            sheet = {"checked_on": TODAY.isoformat(), "assets_ok": True, "members": rows, "medical_year_fen": 2_600_000}
            sheet |= {"schooling_year_fen": 0, "care_year_fen": 0}
            headers = {"Idempotency-Key": uuid.uuid4().hex, "If-Match": f'"{version}"'}
            answer = county.post(path, json={"sheet": sheet, "authorisation": "SQ901"}, headers=headers)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        # 24,000.00 a year of two: 1,000.00 a head and month; 26,000.00 of bills beside it are more than 60 %.
        saved = save(2_400_000, 0)
        assert (saved["income_month_fen"], saved["proposal"]) == (100_000, "dibao")

        def standing(rule: str, subject: str) -> bool:
            names: dict[bytes, bytes] = whole.client.hgetall(whole.keys.standing)  # type: ignore[assignment]
            return any(name.decode().startswith(f"{rule}:{subject}:") for name in names)

        whole.wait(lambda: standing("R40", home), "R40 does not stand after the sheet")
        assert not standing("R39", whole.person(first))

        # Corrected to 12,000.00: 500.00 a head and month, so the check fits a borderline family too.
        mended = save(1_200_000, saved["version"])
        assert mended["version"] > saved["version"]
        whole.wait(lambda: standing("R39", whole.person(first)), "R39 does not stand after the correction")
        # And to 96,000.00: neither of them.
        save(9_600_000, mended["version"])
        whole.wait(lambda: not standing("R39", whole.person(first)), "R39 still stands")
        whole.wait(lambda: not standing("R40", home), "R40 still stands")
