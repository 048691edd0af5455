"""Errors of the connectors, by what the process must do about them.

ConnectorError
├── Permanent                a person must mend something; exit 78
│   ├── ConfigError          the catalogue, a mapping or the table do not fit each other
│   └── BadFile              a dropped file cannot be read at all: it goes to rejected/
└── Transient                wait and try again
    ├── SourceDown           the department's database or folder cannot be reached
    └── KafkaDown            Kafka did not acknowledge
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Root. Texts hold no personal data: no values of rows, no parameters of queries."""

    code = "connector"
    family = "bug"
    exit_code = 70


class Permanent(ConnectorError):
    """A person must mend something."""

    code = "permanent"
    family = "permanent"
    exit_code = 78


class ConfigError(Permanent):
    """The catalogue, a mapping or the table do not fit each other."""

    code = "config"


class BadFile(Permanent):
    """A dropped file cannot be read at all."""

    code = "bad_file"


class Transient(ConnectorError):
    """Wait and try again."""

    code = "transient"
    family = "transient"


class SourceDown(Transient):
    """The department's database or folder cannot be reached."""

    code = "source_down"


class KafkaDown(Transient):
    """Kafka did not acknowledge."""

    code = "kafka_down"
