"""Token pruning, of image patches and of frames; importing it registers the pruners."""

from mmhot.models.tokens import pruners, recoverers

__all__ = ['pruners', 'recoverers']
