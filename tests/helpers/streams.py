"""A stand-in for streams, which does what a script says."""

import threading

from video_files import picture


class ScriptedStream:
    """Gives frames, fails and waits as told.

    Args:
        connections (list): What comes of each: a list of numbers of pictures, pairs of
            a time and a number, callables, which are called, and exceptions, which
            are raised; or an exception, for a connection that fails. Once they are
            used up, connecting fails.
        fps (float): Frames per second.
        finite (bool): Whether it is a film.
    """

    name = label = 'camera'

    def __init__(self, connections, fps=50.0, finite=False):
        self.connections = list(connections)
        self.fps = fps
        self.finite = finite
        self.opened = 0
        self.closed = threading.Event()

    def open(self):
        self.opened += 1
        self.script = self.connections.pop(0) if self.connections else OSError('gone')
        if isinstance(self.script, Exception):
            raise self.script

    def frames(self):
        for item in self.script:
            if isinstance(item, Exception):
                raise item
            if callable(item):
                item()
            else:
                stamp, number = item if isinstance(item, tuple) else (None, item)
                yield stamp, picture(number)

    def close(self):
        self.closed.set()
