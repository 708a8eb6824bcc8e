"""Converters of published checkpoints, one module for each family of models."""
