"""What a feed says of persons' identities: merged with what this connector said before, sealed, published."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from connectors import link
from connectors.sending import Sender, blobs, lists, same
from connectors.state import Changes, Envelope, State
from domain.sealing import CannotOpen, Forgotten, Vault, index_entries
from wire.secrets import Secrets

Identity = dict[str, str]


def said_by(frame: pl.DataFrame) -> tuple[dict[str, Identity], dict[str, str]]:
    """What the rows of a linked frame say, by person_key, guardians included; and each person's division.

    A row that is put aside says nothing.
    """
    if frame["_problem"].null_count() < frame.height:
        frame = frame.filter(pl.col("_problem").is_null())
    says = link.guardians(frame)
    divisions = dict.fromkeys(says, "")
    people, deleted = frame["person_key"].to_list(), frame["_deleted"].to_list()
    places = frame["division"].to_list()
    for person, gone, place, identity in zip(people, deleted, places, link.identities(frame), strict=True):
        if person and not gone:
            says[person] = {**says[person], **identity} if person in says else identity
            divisions[person] = place
    return says, divisions


def publish(
    out: Sender,
    secrets: Secrets,
    state: State,
    source: str,
    frame: pl.DataFrame,
    changes: Changes,
    now: datetime,
) -> int:
    """Publish the identities of whom this feed says something new; how many. Adds to ``changes``."""
    says, divisions = said_by(frame)
    hashes = {p: link.identity_hash(secrets.index, i) for p, i in says.items()}
    said = state.said(source, list(says))
    news = [p for p in says if said.get(p) != hashes[p]]
    if not news:
        return 0
    before = state.identities(news)
    vault = secrets.vault
    changed: list[str] = []
    entries: list[list[str]] = []
    for person in news:
        old = _opened(vault, person, before.get(person))
        merged = {**old, **says[person]}
        changes.said[person] = hashes[person]
        if merged != old:
            changes.identities[person] = Envelope(vault.key_id, *vault.seal(person, merged))
            changed.append(person)
            entries.append(index_entries(secrets.index, merged))
    sealed = [changes.identities[p] for p in changed]
    columns = {
        "person_key": pl.Series(changed, dtype=pl.String),
        "key_id": same(vault.key_id, pl.String, len(changed)),
        "wrapped_key": blobs([s.wrapped for s in sealed]),
        "sealed": blobs([s.sealed for s in sealed]),
        "index": lists(entries),
        "division": pl.Series([divisions[p] for p in changed], dtype=pl.String),
        "source": same(source, pl.String, len(changed)),
        "updated_at": same(now, pl.Datetime("ms", "UTC"), len(changed)),
    }
    out.frame("hub.identity", pl.DataFrame(columns), "person_key")
    return len(changed)


def _opened(vault: Vault, person: str, envelope: Envelope | None) -> dict[str, str | None]:
    """What was last published; nothing where its key is gone."""
    if envelope is None:
        return {}
    try:
        return vault.open(person, *envelope)
    except (CannotOpen, Forgotten):
        return {}
