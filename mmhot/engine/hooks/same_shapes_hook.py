"""Weights that are used as they are."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from mmhot.strict_loading import refuse_other_shapes


@HOOKS.register_module()
class SameShapesHook(Hook):
    """Refuse weights that would be made to fit, as they are for a training.

    Raises a ValueError, in one line, before any is loaded.
    """

    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the tensors that the file and the model both have."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        state = checkpoint.get('state_dict', checkpoint)
        refuse_other_shapes(model, runner.cfg.load_from, state)
