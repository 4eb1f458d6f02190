"""Personal data: policies, erasure, anonymisation, export, retention."""
