"""Rewrites of trained models for inference."""
