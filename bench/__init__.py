"""Benchmarks: what is fast, measured on this machine."""
