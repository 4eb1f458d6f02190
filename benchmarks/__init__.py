"""Benchmarks: figures as ratios against bare limits measured in the same run on the same machine."""

import sys
from pathlib import Path

# The client is a distribution of its own, which the server's environment does not hold.
sys.path.append(str(Path(__file__).parents[1] / "clients" / "python" / "src"))
