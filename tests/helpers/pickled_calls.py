"""Objects whose pickles call functions when they are read."""


class PickledCall:
    """Calls a function with arguments when it is unpickled."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced
