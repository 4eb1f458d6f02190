"""Rules as an operator declares them: JSON, checked whole before it is stored, so that nothing can go wrong with an event."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from analytics_api.deliver.rules.paths import SECTIONS, Path, overlapping
from analytics_api.domain.event import EventType
from analytics_api.errors import ConfigurationError, wording

LARGEST = 65_536
"""Bytes of rules as JSON."""
LONGEST_TYPE = 200
MOST_STARS = 10
MOST = 200
"""Entries of a list."""


class Operator(StrEnum):
    """What a condition asks of a value."""

    IS = "is"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="


_BARE = (Operator.EXISTS, Operator.NOT_EXISTS)
_ORDERING = (Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST)
_OF_TEXT = (Operator.STARTS_WITH, Operator.ENDS_WITH)


def _pattern(text: str) -> str:
    if not text.isprintable() or text.count("*") > MOST_STARS:
        raise ValueError(f"use printable characters and at most {MOST_STARS} *")
    return text


def _path(text: str) -> str:
    Path.parse(text)
    return text


def _property(text: str) -> str:
    path = Path.parse(text)
    if path.section not in SECTIONS or not path.names:
        raise ValueError(f"{text!r} cannot be changed; name a property under {', '.join(SECTIONS)}")
    return text


def _droppable(text: str) -> str:
    return text if text in SECTIONS or text == "revenue" else _property(text)


def _new_name(text: str) -> str:
    if not text.isprintable() or text.startswith("$") or text == EventType.API_REQUEST:
        raise ValueError("use a printable event type that does not begin with $ and is not api_request")
    return text


Pattern = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_TYPE, description="An event type; `*` stands for any characters."),
    AfterValidator(_pattern),
]
Patterns = Annotated[list[Pattern], Field(max_length=MOST)]
ConditionPath = Annotated[str, Field(max_length=500), AfterValidator(_path)]
Property = Annotated[str, Field(max_length=500), AfterValidator(_property)]
Droppable = Annotated[str, Field(max_length=500), AfterValidator(_droppable)]
Purpose = Annotated[str, Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Strict):
    """What an event must be like."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"path": "event_data.plan", "op": "is", "value": ["pro", "team"]}}
    )

    path: ConditionPath = Field(
        description="`event_data.`, `user_properties.` (as the event sets them) or `context.` and names with dots between; "
        "or `event_type`, `user_id`, `anonymous_id`, `session_id`, `revenue`, `currency`, `is_bot`."
    )
    op: Operator
    value: JsonValue = Field(
        None,
        description="A text, number, true or false; for `is`, `is_not`, `contains`, `not_contains`, `starts_with` and "
        "`ends_with` also a list of them, of which one is enough. None for `exists` and `not_exists`.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.op in _BARE:
            if self.value is not None:
                raise ValueError(f"leave value out: {self.op} asks for none")
            return self
        values = self.value if isinstance(self.value, list) and self.op not in _ORDERING else [self.value]
        if not values or len(values) > MOST:
            raise ValueError(f"value: give one to {MOST}")
        if self.op in _ORDERING and (
            isinstance(self.value, bool) or not isinstance(self.value, int | float | str)
        ):
            raise ValueError(f"value: {self.op} compares with a number or a text")
        if self.op in _OF_TEXT and not all(isinstance(value, str) for value in values):
            raise ValueError(f"value: {self.op} compares with texts")
        if not all(isinstance(value, str | int | float) for value in values):
            raise ValueError(
                "value: use texts, numbers, true or false; not_exists asks for what is null or missing"
            )
        return self


class ConsentGate(_Strict):
    """Which consent an event must carry in its `context.consent`."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"purposes": ["analytics"], "not_stated": "skip"}}
    )

    purposes: list[Purpose] = Field(
        min_length=1,
        max_length=20,
        description="All of these must be granted: as `context.consent.categoryPreferences.PURPOSE`, or where there are no "
        "categoryPreferences, as `context.consent.PURPOSE`.",
    )
    not_stated: Literal["skip", "send"] = Field(
        "skip", description="What becomes of an event that says nothing of a purpose."
    )


class Sampling(_Strict):
    """A part of all persons, each wholly in or wholly out."""

    model_config = ConfigDict(json_schema_extra={"example": {"percent": 10}})

    percent: float = Field(gt=0, le=100, description="Who is in at 10 is also in at 20.")
    seed: str = Field(
        "",
        max_length=100,
        description="Another text chooses other persons; the same one the same at every destination.",
    )


class EventMapping(_Strict):
    """How events are put into other words. Done in this order: keep, drop, rename, set, rename_event."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "events": ["signup_completed"],
                "rename_event": "Signed Up",
                "rename": {"event_data.plan": "event_data.tier"},
                "drop": ["context.page", "user_properties.birthday"],
                "set": {"event_data.source": "server"},
            }
        }
    )

    events: Patterns = Field(["*"], min_length=1, description="Of these event types, as they are stored.")
    keep: list[Property] = Field(
        [],
        max_length=MOST,
        description="Of `event_data`, `user_properties` and `context`, those that are named here keep only these.",
    )
    drop: list[Droppable] = Field(
        [],
        max_length=MOST,
        description="Properties, a whole `event_data`, `user_properties` or `context`, or `revenue` with its currency.",
    )
    rename: dict[Property, Property] = Field(
        {},
        max_length=MOST,
        description="From where to where, all at once; also out of `context` into `event_data`.",
    )
    set: dict[Property, JsonValue] = Field(
        {}, max_length=MOST, description="Values in place of any there are."
    )
    rename_event: Annotated[str, AfterValidator(_new_name)] | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_TYPE,
        description="The event type to send. Those that begin with `$` keep theirs.",
    )

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        targets = list(self.rename.values())
        for field, paths in (
            ("keep", self.keep),
            ("rename", list(self.rename)),
            ("rename", targets),
            ("set", list(self.set)),
        ):
            both = overlapping(Path.parse(path) for path in paths)
            if both is not None:
                raise ValueError(f"{field}: {both[0]} and {both[1]} are the same or one is inside the other")
        for old, new in self.rename.items():
            if (Path.parse(old).section == "user_properties") != (
                Path.parse(new).section == "user_properties"
            ):
                raise ValueError(f"rename: {old} cannot become {new}; user properties stay among themselves")
        return self


class Rules(_Strict):
    """Which events a destination gets, and in which words. Applied in this order; without any rule it gets all events."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "exclude": ["debug_*"],
                "all_of": [{"path": "context.country", "op": "is_not", "value": "US"}],
                "consent": {"purposes": ["analytics"], "not_stated": "skip"},
                "sample": {"percent": 25},
                "mapping": [{"events": ["signup_*"], "drop": ["event_data.referral_code"]}],
            }
        }
    )

    include: Patterns = Field(
        [],
        description="Only these event types; empty: all. `api_request` is sent only if a pattern other than `*` matches it.",
    )
    exclude: Patterns = Field([], description="Not these event types, though they are included.")
    all_of: list[Condition] = Field([], max_length=MOST, description="Every one must hold.")
    any_of: list[Condition] = Field([], max_length=MOST, description="One must hold, if there are any.")
    consent: ConsentGate | None = None
    sample: Sampling | None = None
    mapping: list[EventMapping] = Field(
        [], max_length=MOST, description="All that match an event, one after the other."
    )

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, document: Any) -> Any:
        """What neither JSON nor the database holds is refused here, wherever it stands."""
        if isinstance(document, dict):
            try:
                text = json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
            except (ValueError, TypeError, RecursionError):
                raise ValueError("use JSON without NaN, infinity, lone surrogates or deep nesting") from None
            if len(text) > LARGEST:
                raise ValueError(f"they have {len(text)} bytes; use up to {LARGEST}")
            if b"\\u0000" in text:
                raise ValueError("use texts without the character NUL")
        return document

    def text(self) -> str:
        """As JSON, without what is left at its default."""
        return self.model_dump_json(exclude_defaults=True)


def parse_rules(text: str | bytes, place: str) -> Rules:
    """Rules from JSON text. Raises ConfigurationError that begins with `place`, the name of the file or setting."""
    try:
        return Rules.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigurationError(": ".join(filter(None, (place, where, wording(first)))) + ".") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{place} is not JSON: {error}.") from None
