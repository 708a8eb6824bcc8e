"""Export formats of lifted clips; their table is ``mmhot.chain.formats``."""
