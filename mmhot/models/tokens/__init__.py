"""Pruners and recoverers of frames; importing them registers them (GTPT: gtpt/)."""

from mmhot.models.tokens import pruners, recoverers  # noqa: F401 registers
