"""The papers' own checkpoints, one module a model.

To add a model, write a module with a :class:`PublishedModel` and list it here;
:func:`mmhot.weights.checkpoints.convert_published` finds it by the checkpoint's keys.
"""

from mmhot.weights.convert.gtpt import GTPT
from mmhot.weights.convert.htnet import HTNET
from mmhot.weights.convert.mhformer import MHFORMER
from mmhot.weights.convert.mixste import MIXSTE
from mmhot.weights.convert.motionagformer import MOTIONAGFORMER
from mmhot.weights.convert.motionbert import MOTIONBERT
from mmhot.weights.convert.nanohtnet import NANOHTNET
from mmhot.weights.convert.published_model import PublishedModel

PUBLISHED_MODELS: tuple[PublishedModel, ...] = (
    GTPT,
    HTNET,
    MHFORMER,
    MIXSTE,
    MOTIONAGFORMER,
    MOTIONBERT,
    NANOHTNET,
)

__all__ = ['PUBLISHED_MODELS', 'PublishedModel']
