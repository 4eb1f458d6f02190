"""Benchmarks: figures as ratios against bare limits measured in the same run on the same machine."""
