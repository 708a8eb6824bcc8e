"""Export formats of lifted clips; their table is ``mmhot.structures.formats``."""
