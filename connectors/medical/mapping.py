"""Medical insurance: settlements and enrolment, in the field names of the national insurance interface."""

from __future__ import annotations

from typing import Final

import polars as pl

from connectors.fields import Field, code, day, division, fen, moment, text, truth
from connectors.mapping import Identity, Mapping

TIERS: Final = ("tekun", "dibao", "bianyuan", "gangxing", "jiance", "qita")
_FLAG: Final = ("0", "1")
_AMOUNTS: Final = (
    "medfee_sumamt",
    "fulamt_ownpay_amt",
    "overlmt_selfpay",
    "preselfpay_amt",
    "inscp_scp_amt",
    "act_pay_dedc",
    "hifp_pay",
    "hifmi_pay",
    "hifob_pay",
    "maf_pay",
    "cvlserv_pay",
    "oth_pay",
    "fund_pay_sumamt",
    "psn_part_amt",
    "acct_pay",
    "psn_cash_pay",
)

# Product default, to be replaced by the county's own list: malignant tumours (C), leukaemia among them,
# haemophilia (D66, D67), aplastic anaemia (D60, D61), schizophrenia (F20), kidney failure (N17–N19),
# acute myocardial infarction (I21, I22), stroke (I60–I64), organ transplants (Z94), AIDS (B20–B24).
_MAJOR: Final = r"^(?:C|D6[0167]|F20|N1[789]|I2[12]|I6[0-4]|Z94|B2[0-4])"


def _major_disease(column: str) -> Field:
    """Only whether it is a major disease leaves the department, not which (design: minimise)."""
    return Field(pl.col(column).str.to_uppercase().str.contains(_MAJOR), (column,))


SETTLEMENT: Final = Mapping(
    topic="medical.settlement",
    identity=Identity(id_number="certno", name="psn_name", telephone="tel"),
    division=division("resd_division"),
    occurred_at=moment("setl_time"),
    fields={
        "setl_time": moment("setl_time"),
        "begndate": day("begndate"),
        "enddate": day("enddate"),
        "insutype": text("insutype"),
        "med_type": text("med_type"),
        "insu_admdvs": text("insu_admdvs"),
        "fixmedins_code": text("fixmedins_code"),
        **{f"{a}_fen": fen(a) for a in _AMOUNTS},
        "refd_setl_flag": code("refd_setl_flag", _FLAG),
        "vali_flag": code("vali_flag", _FLAG),
        "major_disease": _major_disease("dise_codg"),
    },
)

INSURANCE: Final = Mapping(
    topic="medical.insurance",
    identity=Identity(id_number="certno", name="psn_name", telephone="tel"),
    division=division("resd_division"),
    fields={
        "insutype": text("insutype"),
        "insu_admdvs": text("insu_admdvs"),
        # 1 insured; 0 never, 2 paused, 3 and 4 ended
        "insured": truth("psn_insu_stas", ("1",), ("0", "2", "3", "4")),
        "begndate": day("begndate"),
        "enddate": day("enddate"),
        "idet_tier": code("psn_idet_type", TIERS),
        "idet_begndate": day("idet_begndate"),
        "idet_enddate": day("idet_enddate"),
        "premium_subsidy_fen": fen("prem_subs_amt"),
    },
)

FEEDS: Final = {"settlement": SETTLEMENT, "insurance": INSURANCE}
