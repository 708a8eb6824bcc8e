"""Shipped models that are opened while the modules of a command are imported."""

from mmhot.chain.options import InferRunOptions, LiftRunOptions
from mmhot.deploy.onnx_sessions import open_ahead
from mmhot.weights.index import shipped_models
from mmhot.weights.names import DETECTOR, LIFTER, POSE, Model, resolve, runtime


def open_defaults_ahead(options: InferRunOptions | LiftRunOptions) -> None:
    """Begin to open the shipped models, where options name no others."""
    lifter = options.lifter_settings()
    models: list[tuple[Model, int | None]] = []
    if lifter['model'] is lifter['checkpoint'] is lifter['keep'] is None:
        models.append((resolve(None, LIFTER), 1))
    if isinstance(options, InferRunOptions) and options.speed == 'default':
        given = [options.pose2d, options.pose2d_weights]
        for task, threads in ((POSE, 1), (DETECTOR, None)):
            if task is DETECTOR:
                given += [options.det_model, options.det_weights]
            if not any(given):
                shipped = resolve(shipped_models(task.folders)[0].name, task)
                models.append((shipped, threads))
    for model, threads in models:
        graph = runtime(model, options.device, options.backend)
        if graph is not None:
            open_ahead(graph, options.device, threads)
