"""Hostile inputs: damaged, huge and deceptive files, and unusual terminals."""
