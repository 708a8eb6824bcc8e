"""The parts of :class:`mmhot.apis.Inferencer`."""
