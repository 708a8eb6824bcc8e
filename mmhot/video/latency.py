"""How late things are, without keeping how late each was."""

# Counted in steps of a millisecond, up to so many.
_MOST_MS = 20_000


class Latencies:
    """Mean and quantiles of any number of times, in milliseconds."""

    def __init__(self) -> None:
        self._counts = [0] * (_MOST_MS + 1)
        self._count = 0
        self._sum = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one."""
        self._counts[min(max(round(milliseconds), 0), _MOST_MS)] += 1
        self._count += 1
        self._sum += milliseconds

    @property
    def mean(self) -> float:
        """Mean, 0 of none."""
        return round(self._sum / max(self._count, 1), 1)

    def quantile(self, part: float) -> int:
        """Least number of milliseconds within which this part of them is."""
        below = 0
        for milliseconds, count in enumerate(self._counts):
            below += count
            if below >= part * self._count:
                return milliseconds
        return _MOST_MS
