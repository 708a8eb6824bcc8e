"""Pruners and recoverers of frames, and hourglasses (GTPT: gtpt/)."""
