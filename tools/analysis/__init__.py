"""Measurements whose numbers pages and cards quote, and figures of pages."""
