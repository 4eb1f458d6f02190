"""What all tables are made of."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    MetaData,
    text,
)

metadata = MetaData()


def time(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def count(name: str) -> Column[object]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))
