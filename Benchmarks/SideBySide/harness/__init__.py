"""The harness of `Benchmarks/side-by-side`: it builds, runs in turns, and reports.

Imports go one way: options and main > reports > rounds > works (echo, churn, ..., micro) > servers > model.
"""
