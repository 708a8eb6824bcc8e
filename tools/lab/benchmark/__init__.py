"""Benchmark of models: time, operations, parameters and memory."""
