"""MMEngine's launcher 'pytorch' on CPUs: importing this module patches it."""

import torch
from mmengine.dist import utils
from mmengine.model import MMDistributedDataParallel

build = MMDistributedDataParallel.__init__


def init_process_group(backend: str, **_: object) -> None:
    """Replace the start that sets a GPU."""
    torch.distributed.init_process_group('gloo')


def init_model(self, *args, **kwargs) -> None:
    """Build the wrapper of a model on the CPU."""
    build(self, *args, **kwargs | {'device_ids': None})


if not torch.cuda.is_available():
    utils._init_dist_pytorch = init_process_group
    MMDistributedDataParallel.__init__ = init_model
