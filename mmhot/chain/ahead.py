"""Shipped models that are opened while the modules of a command are imported."""

from mmhot.chain.options import InferRunOptions, LiftRunOptions
from mmhot.compat.installation import list_devices_of_driver
from mmhot.deploy.onnx_sessions import open_ahead
from mmhot.weights.index import DEFAULT_LIFTER, SCHEME, WEIGHTS_FOLDER, shipped_models
from mmhot.weights.names import DETECTOR, POSE


def open_defaults_ahead(options: InferRunOptions | LiftRunOptions) -> None:
    """Begin to open the shipped models, where options name no others."""
    if options.backend == 'torch' or options.device not in ('auto', 'cpu'):
        return
    if options.device == 'auto' and len(list_devices_of_driver()) > 1:
        return  # PyTorch runs them on the GPU
    lifter = options.lifter_settings()
    names: list[tuple[str, int | None]] = []
    if lifter['model'] is lifter['checkpoint'] is lifter['keep'] is None:
        names.append((DEFAULT_LIFTER, 1))
    if isinstance(options, InferRunOptions) and options.speed == 'default':
        given = [options.pose2d, options.pose2d_weights]
        for task, threads in ((POSE, 1), (DETECTOR, None)):
            if task is DETECTOR:
                given += [options.det_model, options.det_weights]
            if not any(given):
                weights = shipped_models(task.folders)[0].weights
                names.append((weights.removeprefix(SCHEME), threads))
    for name, threads in names:
        open_ahead(WEIGHTS_FOLDER / f'{name}.onnx', options.device, threads)
