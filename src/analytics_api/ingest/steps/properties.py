"""User properties: operations on the person, in one form."""

from __future__ import annotations

from typing import Any

from analytics_api.ingest.draft import Draft, Reception, Rejected

OPERATIONS = ("$set", "$set_once", "$add", "$append", "$unset")


def put_operations(draft: Draft, _reception: Reception) -> None:
    """Turn plain keys into `$set` and check what each operation is given."""
    given = draft.user_properties
    if not given:
        draft.user_properties = None
        return
    operations: dict[str, dict[str, Any]] = {}
    plain: dict[str, Any] = {}
    for name, value in given.items():
        if not name.startswith("$"):
            plain[name] = value
        elif name in OPERATIONS:
            operations[name] = _operand(name, value)
        else:
            raise Rejected(f"user_properties.{name} is no operation: use {', '.join(OPERATIONS)}")
    if plain:
        operations["$set"] = {**operations.get("$set", {}), **plain}
    draft.user_properties = {name: value for name, value in operations.items() if value} or None


def _operand(operation: str, value: Any) -> dict[str, Any]:
    if operation == "$unset" and isinstance(value, list) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, True)
    if not isinstance(value, dict):
        kind = "a list of names" if operation == "$unset" else "an object"
        raise Rejected(f"user_properties.{operation} takes {kind}")
    if operation == "$add":
        for name, amount in value.items():
            if isinstance(amount, bool) or not isinstance(amount, int | float):
                raise Rejected(f"user_properties.$add.{name} is not a number")
    return value
