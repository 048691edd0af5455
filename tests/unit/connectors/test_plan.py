"""What is published for a row, given what was published before."""

from __future__ import annotations

from connectors.plan import Plan, Row, plan
from connectors.state import DELETED, LIVE, UNIDENTIFIED, Record


def row(micros: int = 100, person: str = "p", content: bytes = b"a", **other: object) -> Row:
    given = {
        "record_id": "r",
        "reason": "" if person else "missing",
        "deleted": False,
        "problem": "",
        "raw_hash": b"raw",
        **other,
    }
    return Row(micros=micros, person=person, hash=content, **given)  # type: ignore[arg-type]


def decide(
    *rows: Row,
    known: Record | None = None,
    snapshot: bool = False,
    table: bool = True,
    rejected: bytes | None = None,
) -> Plan:
    return plan(
        rows,
        {"r": known} if known else {},
        {"r": rejected} if rejected else {},
        snapshot=snapshot,
        later_read_wins=table,
    )


def test_first_sight_is_a_create_and_in_a_first_load_a_snapshot() -> None:
    assert decide(row()).publish == [(0, "create", 100)]
    assert decide(row(), snapshot=True).publish == [(0, "snapshot", 100)]
    assert decide(row()).records["r"] == Record("p", 100, b"a", LIVE)


def test_equal_content_is_not_published_again_but_its_time_is_remembered() -> None:
    made = decide(row(200), known=Record("p", 100, b"a", LIVE))
    assert not made.publish
    assert made.records["r"].version == 200
    assert not decide(row(100), known=Record("p", 100, b"a", LIVE))


def test_two_changes_that_share_a_timestamp_stay_in_order() -> None:
    made = decide(row(100, content=b"a"), row(100, content=b"b"))
    assert made.publish == [(0, "create", 100), (1, "update", 101)]


def test_a_table_shows_its_present_a_file_may_be_old() -> None:
    known = Record("p", 300, b"new", LIVE)
    assert decide(row(200), known=known).publish == [(0, "update", 301)]
    made = decide(row(200), known=known, table=False)
    assert (made.publish, made.stale) == ([], 1)


def test_a_correction_of_a_file_with_the_same_time_survives_a_crash() -> None:
    """It stands as announced, one above its time; read again it is not an old row."""
    uncertain = Record("p", 101, b"", LIVE)
    made = decide(row(100, content=b"b"), known=uncertain, table=False)
    assert (made.publish, made.stale) == ([(0, "create", 101)], 0)
    revoked = decide(row(100, deleted=True), known=uncertain, table=False)
    assert revoked.deletes == [(0, "p", 101)]
    both = decide(row(100, content=b"a"), row(100, content=b"b"), known=uncertain, table=False)
    assert (both.records["r"].hash, both.stale) == (b"b", 0)
    assert decide(row(100), known=Record("p", 5_000, b"", LIVE), table=False).stale == 1


def test_rows_of_one_time_in_a_file_the_last_wins_unless_it_comes_too_late() -> None:
    rows = [row(100, content=c) for c in (b"a", b"b", b"c")]
    made = decide(*rows, table=False)
    assert made.publish == [(0, "create", 100), (1, "update", 101), (2, "update", 102)]
    for again in (rows, [row(100, content=b"d")], [row(99), row(100)]):
        assert decide(*again, known=made.records["r"], table=False).stale == len(again)
    assert decide(row(300), row(200, content=b"old"), table=False).stale == 1


def test_a_corrected_id_takes_the_record_from_one_person_to_the_other() -> None:
    made = decide(row(200, "q", b"b"), known=Record("p", 100, b"a", LIVE))
    assert made.deletes == [(0, "p", 200)]
    assert made.publish == [(0, "create", 200)]


def test_an_id_that_breaks_takes_the_record_away() -> None:
    made = decide(row(200, ""), known=Record("p", 100, b"a", LIVE))
    assert made.deletes == [(0, "p", 200)]
    assert made.unidentified == [(0, "unidentified", 200)]
    assert made.records["r"] == Record("", 200, b"a", UNIDENTIFIED)


def test_a_mended_id_resolves() -> None:
    made = decide(row(200), known=Record("", 100, b"x", UNIDENTIFIED))
    assert made.unidentified == [(0, "resolved", 200)]
    assert made.publish == [(0, "create", 200)]


def test_a_deleted_row_is_deleted_under_the_person_that_it_belonged_to() -> None:
    made = decide(row(200, "q", deleted=True), known=Record("p", 100, b"a", LIVE))
    assert made.deletes == [(0, "p", 200)]
    assert made.records["r"].kind == DELETED


def test_a_deleted_row_never_seen_is_deleted_too_for_the_state_may_be_lost() -> None:
    assert decide(row(200, deleted=True)).deletes == [(0, "p", 200)]
    assert decide(row(200, "", deleted=True)).unidentified == [(0, "resolved", 200)]
    assert not decide(row(200, deleted=True), known=Record("p", 200, b"", DELETED)).deletes


def test_a_deleted_row_that_comes_back_is_newer_than_its_delete() -> None:
    assert decide(row(100), known=Record("p", 150, b"", DELETED)).publish == [(0, "create", 151)]


def test_a_row_that_does_not_fit_is_quarantined_once_and_leaves_what_stands() -> None:
    known = Record("p", 100, b"a", LIVE)
    made = decide(row(200, problem="x"), known=known)
    assert (made.quarantine, made.rejected, made.records) == ([0], {"r": b"raw"}, {})
    assert not decide(row(200, problem="x"), known=known, rejected=b"raw")
    mended = decide(row(300, content=b"b"), known=known, rejected=b"raw")
    assert (mended.publish, mended.rejected) == ([(0, "update", 300)], {"r": None})
