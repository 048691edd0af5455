"""Errors of the outside world. Root: WireError.

WireError
├── KafkaUnreachable     transient  no broker answers
├── KafkaRefused         permanent  the broker refuses the user, the password or an access
├── TopicMismatch        permanent  a topic exists with another number of partitions
├── DeliveryFailed       transient  a message was not acknowledged
├── NoAnswer             transient  nobody answered a question in time
├── RegistryUnreachable  transient  the schema registry does not answer, or answers with a fault of its own
├── RegistryRefused      permanent  the registry refuses the login or the request
├── Incompatible         permanent  a schema that would break readers or writers
└── NotRegistered        permanent  a topic's schema was never registered
"""

from __future__ import annotations


class WireError(Exception):
    """Root of the errors of wire/. ``family``: permanent, transient or bug."""

    code = "wire"
    family = "permanent"


class KafkaUnreachable(WireError):
    """No broker answers."""

    code = "kafka_unreachable"
    family = "transient"


class KafkaRefused(WireError):
    """The broker refuses the user, the password or an access."""

    code = "kafka_refused"


class TopicMismatch(WireError):
    """A topic exists with another number of partitions."""

    code = "topic_mismatch"


class DeliveryFailed(WireError):
    """A message was not acknowledged."""

    code = "delivery_failed"
    family = "transient"


class NoAnswer(WireError):
    """Nobody answered a question in time."""

    code = "no_answer"
    family = "transient"


class RegistryUnreachable(WireError):
    """The schema registry does not answer, or answers with a fault of its own."""

    code = "registry_unreachable"
    family = "transient"


class RegistryRefused(WireError):
    """The registry refuses the login or the request."""

    code = "registry_refused"


class Incompatible(WireError):
    """A schema that would break readers or writers of the topic."""

    code = "schema_incompatible"


class NotRegistered(WireError):
    """A topic's schema was never registered."""

    code = "schema_not_registered"
