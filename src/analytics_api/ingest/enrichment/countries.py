"""Country (region, city) of an address: from the table in this package, or from a better database in MaxMind's format."""

from __future__ import annotations

import lzma
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import maxminddb
import msgspec

from analytics_api.errors import ConfigurationError

Address = IPv4Address | IPv6Address
TABLE = "countries.xz"
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is: an ISO 3166-1 alpha-2 country, and where the database has them a region and a city."""

    country: str | None = None
    region: str | None = None
    city: str | None = None


NOWHERE = Place()


class Places(Protocol):
    """Looks addresses up."""

    def place(self, address: Address) -> Place:
        """Where it is; NOWHERE for an address that is not known, a private one for instance."""
        ...


def parse_address(text: object) -> Address | None:
    """The address that a text is, an IPv4 address inside IPv6 as IPv4. None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # A zone (fe80::1%eth0) is only meaningful on the machine that wrote it.
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


class _Header(msgspec.Struct):
    source: str
    built: str
    codes: str
    ranges4: int
    ranges6: int


class CountryTable:
    """Sorted starts of ranges with a country each. IPv6 is told apart by /64, the smallest network that is handed out."""

    def __init__(self, packed: bytes) -> None:
        head, _, body = lzma.decompress(packed).partition(b"\n")
        header = msgspec.json.decode(head, type=_Header)
        self.source = header.source
        self.built = header.built
        codes = [header.codes[at : at + 2].strip() or None for at in range(0, len(header.codes), 2)]
        self._places = [NOWHERE if code is None else Place(code) for code in codes]
        cut4 = 4 * header.ranges4
        cut6 = cut4 + 8 * header.ranges6
        self._starts4 = _join("I", body[:cut4])
        self._starts6 = _join("Q", body[cut4:cut6])
        self._codes4 = body[cut6 : cut6 + header.ranges4]
        self._codes6 = body[cut6 + header.ranges4 :]

    def place(self, address: Address) -> Place:
        """The country of an address."""
        if isinstance(address, IPv4Address):
            return self._find(self._starts4, self._codes4, int(address))
        return self._find(self._starts6, self._codes6, int(address) >> 64)

    def _find(self, starts: array[int], codes: bytes, number: int) -> Place:
        at = bisect_right(starts, number)
        return self._places[codes[at - 1]] if at else NOWHERE


def pack_table(
    source: str, built: str, ranges4: list[tuple[int, str]], ranges6: list[tuple[int, str]]
) -> bytes:
    """A table file of (start of range, country or "") in rising order; IPv6 starts are the upper 64 bits.

    Differences of neighbours, all lowest bytes first, then all second ones...: bytes of one kind side by side compress
    to a quarter of the plain numbers, and are put together again at the speed of C.
    """
    codes = sorted({code for _, code in (*ranges4, *ranges6)})
    number = {code: at for at, code in enumerate(codes)}
    header = _Header(source, built, "".join(code.ljust(2) for code in codes), len(ranges4), len(ranges6))
    parts = [msgspec.json.encode(header), b"\n"]
    for ranges, width in ((ranges4, 4), (ranges6, 8)):
        starts = [start for start, _ in ranges]
        steps = [after - before for before, after in zip([0, *starts], starts, strict=False)]
        plain = b"".join(step.to_bytes(width, "little") for step in steps)
        parts.extend(plain[byte::width] for byte in range(width))
    parts.extend(bytes(number[code] for _, code in ranges) for ranges in (ranges4, ranges6))
    return lzma.compress(b"".join(parts), preset=9 | lzma.PRESET_EXTREME)


def _join(kind: str, planes: bytes) -> array[int]:
    """The numbers of which `pack_table` wrote the differences."""
    steps = array(kind)
    width = steps.itemsize
    count = len(planes) // width
    mixed = bytearray(len(planes))
    for byte in range(width):
        mixed[byte::width] = planes[byte * count : (byte + 1) * count]
    steps.frombytes(mixed)
    if _BIG_ENDIAN:
        steps.byteswap()
    return array(kind, accumulate(steps))


_BIG_ENDIAN = array("H", [1]).tobytes() == b"\0\1"


@cache
def built_in() -> CountryTable:
    """The table of this package. Takes about 0.1 s the first time and 5 MB of memory."""
    return CountryTable(files(__package__).joinpath(TABLE).read_bytes())


class Database:
    """A file in MaxMind's format: GeoLite2, DB-IP and IP2Location name their fields differently."""

    def __init__(self, path: Path) -> None:
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise ConfigurationError(
                f"ANALYTICS__GEOIP_DATABASE: {path} cannot be used ({error}): name a .mmdb file with countries or cities."
            ) from None

    def place(self, address: Address) -> Place:
        """The place of an address. A damaged record is no place."""
        try:
            record = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            # ValueError: an IPv6 address in a database of IPv4 alone.
            return NOWHERE
        return _place(record) if isinstance(record, dict) else NOWHERE


def _place(record: dict[str, Any]) -> Place:
    country = record.get("country") or record.get("registered_country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    if not isinstance(code, str) or len(code) != 2 or not code.isalpha():
        return NOWHERE
    subdivisions = record.get("subdivisions")
    region = (
        subdivisions[0]
        if isinstance(subdivisions, list) and subdivisions
        else record.get("state1") or record.get("region")
    )
    return Place(code.upper(), _name(region), _name(record.get("city")))


def _name(value: object) -> str | None:
    """An English name, out of {"names": {"en": ...}} or plain."""
    if isinstance(value, dict):
        names = value.get("names")
        value = names.get("en") if isinstance(names, dict) else None
    return value.replace("\0", "")[:LONGEST_NAME] or None if isinstance(value, str) else None


def open_places(path: Path | None) -> Places:
    """The database at `path`, else the built-in table. Raises ConfigurationError when the file cannot be used."""
    return built_in() if path is None else Database(path)
