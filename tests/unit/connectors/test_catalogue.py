"""connector.yaml: strict, and every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from connectors.catalogue import FOLDERS, load
from connectors.errors import ConfigError
from doudi.commands.connect import with_places
from schemas.topics import DEPARTMENT_TOPICS
from wire.settings import Settings


def given(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text, "utf-8")
    return path


def test_every_department_topic_has_one_feed() -> None:
    topics = [f.topic for d in FOLDERS for f in load(d).feeds]
    assert sorted(topics) == sorted(t.name for t in DEPARTMENT_TOPICS)


def test_an_override_replaces_only_its_keys(tmp_path: Path) -> None:
    path = given(tmp_path, yaml.safe_dump({"database": "x", "feeds": [{"source": "medical.setl_d", "epoch": 2}]}))
    read = load("medical", path)
    assert (read.database, read.feeds[0].epoch, read.feeds[0].table) == ("x", 2, "setl_d")
    assert len(read.feeds) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("feeds: [{source: medical.setl_d, poll: 1}]", r"feeds\.0\.poll: Extra inputs are not permitted"),
        ("feeds: [{source: medical.setl_d, epoch: 0}]", r"feeds\.0\.epoch: .*greater than or equal to 1"),
        ("feeds: [{source: medical.setl_d, mapping: card}]", r"mapping 'card' .* It has: settlement"),
        ("feeds: [{source: medical.setl_d, table: ''}]", "table is empty. Name the table"),
        ("a: [", r"line \d+ is not YAML"),
        ("", "is empty or no mapping"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load("medical", given(tmp_path, text))


def test_unknown_department_and_file() -> None:
    with pytest.raises(
        ConfigError, match="agriculture, civil, disability, education, employment, housing, medical, vital, water"
    ):
        load("tax")
    with pytest.raises(ConfigError, match="cannot be read"):
        load("civil", Path("nowhere.yaml"))


def test_places(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, postgres="postgresql+psycopg://u:p@h:1/postgres")
    assert with_places(load("medical"), settings).url == "postgresql+psycopg://u:p@h:1/doudi_medical"
    assert with_places(load("vital"), settings).feeds[0].folder == str(tmp_path / "drop")
    with pytest.raises(ConfigError, match="No database is known for the connector of civil"):
        with_places(load("civil"), Settings(home=tmp_path))
