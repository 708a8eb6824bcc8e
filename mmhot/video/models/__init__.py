"""2D pose estimators and person detectors; each kind is one module."""
