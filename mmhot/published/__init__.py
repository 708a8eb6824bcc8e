"""The papers' own checkpoints, one module a model.

To add a model, write a module with a :class:`PublishedModel` and list it here;
:func:`mmhot.checkpoints.convert_published` finds it by the checkpoint's keys.
"""

from .gtpt import GTPT
from .htnet import HTNET
from .mhformer import MHFORMER
from .mixste import MIXSTE
from .motionagformer import MOTIONAGFORMER
from .motionbert import MOTIONBERT
from .nanohtnet import NANOHTNET
from .published_model import PublishedModel

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
