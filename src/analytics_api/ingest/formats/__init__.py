"""Files of events: one reader for each format turns lines into events as POST /events takes them."""

from __future__ import annotations

from pathlib import Path

from analytics_api.errors import ConfigurationError
from analytics_api.ingest.formats.access_log import read_access_log
from analytics_api.ingest.formats.amplitude import read_amplitude
from analytics_api.ingest.formats.csv import read_csv
from analytics_api.ingest.formats.files import open_file
from analytics_api.ingest.formats.jsonl import read_jsonl
from analytics_api.ingest.formats.line import FieldMap, Line, Reader
from analytics_api.ingest.formats.mixpanel import read_mixpanel
from analytics_api.ingest.formats.segment import read_segment

__all__ = ["FORMATS", "FieldMap", "Line", "Reader", "guess_format", "open_file"]

FORMATS: dict[str, Reader] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
    "access-log": read_access_log,
    "segment": read_segment,
    "amplitude": read_amplitude,
    "mixpanel": read_mixpanel,
}

_BY_NAME = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


def guess_format(path: Path) -> str:
    """The format by the file's name, gzip or not. Raises ConfigurationError."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in _BY_NAME:
        return _BY_NAME[suffix]
    raise ConfigurationError(
        f"{path.name}: the format cannot be told from the name; say --format with one of {', '.join(FORMATS)}."
    )
