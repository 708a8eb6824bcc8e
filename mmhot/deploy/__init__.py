"""Rewrites of trained models for inference, applied from outside."""
