"""Ours beside its peers, every case in a process of its own: ``python -m benchmarks NAME``."""
