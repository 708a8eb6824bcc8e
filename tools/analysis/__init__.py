"""Measurements and figures that pages and model cards quote."""
