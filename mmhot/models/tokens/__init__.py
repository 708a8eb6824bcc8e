"""Token pruning, of image patches and of frames: score, keep, gather."""

from .selection import gather_tokens, keep_highest

__all__ = ['gather_tokens', 'keep_highest']
