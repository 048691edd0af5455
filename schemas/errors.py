"""Errors of the language. Root: LanguageError.

LanguageError
├── SchemaError        permanent  a schema that does not parse or lies outside the decodable subset
│   └── UnknownTopic   permanent  no such topic in schemas/topics.py
└── EncodeError        bug        a row or frame that does not fit the schema it is written with

Messages that cannot be decoded are no errors: they come back as ``Bad`` beside their good neighbours.
"""

from __future__ import annotations


class LanguageError(Exception):
    """Root of the errors of schemas/."""

    code = "language"
    family = "permanent"


class SchemaError(LanguageError):
    """A schema that does not parse or lies outside the decodable subset."""

    code = "schema"


class UnknownTopic(SchemaError):
    """A topic that schemas/topics.py does not name."""

    code = "unknown_topic"


class EncodeError(LanguageError):
    """A row or frame that does not fit the schema: a bug of the caller."""

    code = "encode"
    family = "bug"
