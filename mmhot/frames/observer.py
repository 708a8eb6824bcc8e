"""Interface of what looks at every frame of a clip."""

from abc import ABC, abstractmethod

import numpy as np

from mmhot.structures.people import People


class FrameObserver(ABC):
    """Interface of what looks at every frame and its people, once, in order.

    Attributes:
        name (str): Name of its arrays in the cache; it changes when the results do.
        is_kept (bool): Whether its arrays are cached.
    """

    name: str
    is_kept = True

    @abstractmethod
    def observe(
        self, index: int, image: np.ndarray, people: People, new_shot: bool
    ) -> None:
        """Look at the next frame: its number, BGR image (H, W, 3) and people."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was observed in all frames."""
