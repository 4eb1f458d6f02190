"""Downloads a file: `python downloader.py URL [--format FLAC] [--version Original] [--folder .]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from analytics_client import AnalyticsClient


def download(url: str, folder: Path) -> Path:
    """The file of a URL, in a folder. Raises httpx.HTTPError."""
    response = httpx.get(url, follow_redirects=True)
    response.raise_for_status()
    target = folder / (Path(urlsplit(url).path).name or "download")
    target.write_bytes(response.content)
    return target


def main() -> int:
    """Exit code 0 when the file is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--format", default="FLAC", choices=("FLAC", "ALAC"))
    parser.add_argument("--version", default="Original", choices=("Original", "Instrumental", "Both"))
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    with AnalyticsClient(app="downloader") as analytics:
        name = Path(urlsplit(options.url).path).stem
        try:
            print(download(options.url, options.folder))
            success = True
        except httpx.HTTPError as error:
            print(f"{options.url}: {error}", file=sys.stderr)
            success = False
        analytics.track_download(name, options.format, options.version, success=success)
        analytics.track_session_completion(success=success)
    return 0 if success else 1


if __name__ == "__main__":
    sys.exit(main())
