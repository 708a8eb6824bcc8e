"""Benchmarks of models and of the chain, and their page."""
