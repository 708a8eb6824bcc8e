"""Frames of videos, image folders, streams and webcams; they need no model."""
