"""Whole clips through a lifter."""
