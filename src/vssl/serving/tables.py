"""The tables of the database. Rows are only added: decisions, labels and versions of the policy stay on record."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, Float, ForeignKey, Integer, MetaData, String, Table

SCHEMA = MetaData()
# SQLite counts up only what it calls an integer, which has 64 bits there.
NUMBER = BigInteger().with_variant(Integer, "sqlite")
LARGEST_NUMBER = 2**63 - 1
DECISIONS = Table(
    "decisions",
    SCHEMA,
    Column("number", NUMBER, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    Column("id", String, nullable=False, index=True),
    Column("group", String, nullable=False),
    Column("decision", String(6), nullable=False, index=True),
    Column("score", Float),
    Column("p_value", Float),
    Column("nearest", JSON, nullable=False),
    Column("reason", String, nullable=False),
    Column("content", String(64), nullable=False),
    Column("model", String(64), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("audit", Boolean, nullable=False),
    Column("ask", String(6), nullable=False, index=True),
    Column("x", Float),
    Column("y", Float),
    Column("heat", JSON),
)
"""One row per decision.

`content` is the SHA-256 of the sample's content, `model` and `policy` are those of their files. `audit` says whether it
was drawn at random for people to look at, `ask` is the queue in which it waits for them (review, reject or empty), `x`
and `y` are its position on the map, and `heat` says how unlike the reference each patch is, where people look at it.
"""
LABELS = Table(
    "verdicts",
    SCHEMA,
    Column("number", NUMBER, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    Column("decision", NUMBER, ForeignKey("decisions.number"), nullable=False, index=True),
    Column("verdict", String(6), nullable=False),
    Column("by", String, nullable=False),
    Column("note", String, nullable=False),
)
"""The labels that people give to samples: normal, defect or unsure; of several the last counts."""
POLICIES = Table(
    "policies",
    SCHEMA,
    Column("number", NUMBER, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", String, nullable=False),
    Column("why", String, nullable=False),
    Column("base", String(64), nullable=False, index=True),
    Column("policy", String(64), nullable=False),
    Column("body", JSON, nullable=False),
)
"""Versions of the policy made by people. `base` is the SHA-256 of the export's own; of several the last is in force."""
