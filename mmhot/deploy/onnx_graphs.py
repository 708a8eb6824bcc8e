"""Export of models to ONNX: modules to export, and translations of operators.

Models are exported as they are. This module translates the operators that PyTorch's
exporter does not know, or translates to slower or less exact ones.
"""

import logging
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmhot.errors import ArgumentError, ignored_warnings, import_extra, one_line
from mmhot.models.gtpt.head import GTPTHead
from mmhot.models.lifters.estimator import SequencePoseLifter

OPSET = 23
"""Default version of ONNX's operators."""
_ATTENTION_OPSET = 23  # first version with the operator Attention
_MAX_PEOPLE = 100  # boxes that a detector returns for an image
_MIN_BOX_SCORE = 0.05  # boxes up to this score are left out of suppression
_BOOL = 9  # ONNX's number of the data type


class LifterGraph(nn.Module):
    """Graph of a lifter, from windows of 2D keypoints to 3D poses.

    The graph has no flip test. Programs that run it can mirror windows and average
    poses.

    Args:
        model (nn.Module): A lifter of mmhot or MMPose.
    """

    input_name = 'keypoints'
    output_names = ('poses',)

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Map windows (B, T, K, C) to poses of T' frames, (B, T', K, 3)."""
        if isinstance(self.model, SequencePoseLifter):
            return (self.model.lift(x),)
        return (self.model(x, None, mode='tensor'),)


class PoseGraph(nn.Module):
    """Graph of a top-down model of MMPose, from crops to SimCC vectors or heatmaps.

    For GTPT, the vectors are probabilities divided by the largest value of a label.

    Args:
        model (nn.Module): A top-down model of MMPose.
    """

    input_name = 'image'

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        is_simcc = hasattr(model.head, 'simcc_split_ratio')
        self.output_names = ('simcc_x', 'simcc_y') if is_simcc else ('heatmaps',)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map normalized crops (B, 3, H, W) to the outputs, (B, K, ...) each."""
        head = self.model.head
        outputs = head(self.model.extract_feat(x))
        if isinstance(head, GTPTHead):
            return tuple(x.softmax(-1) / head.decoder.peak for x in outputs)
        return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)


class DetectorGraph(nn.Module):
    """Graph of RTMDet, from images to boxes of people.

    Args:
        model (nn.Module): A detector of MMDetection. Its head must predict distances
            from points to the sides of a box.
        labels (Sequence[int]): Labels of the objects to find. Defaults to 0, people in
            COCO.
    """

    input_name = 'image'
    output_names = ('dets', 'labels')

    def __init__(self, model: nn.Module, labels: Sequence[int] = (0,)) -> None:
        super().__init__()
        self.model = model
        self.labels = list(labels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Detect people in normalized images (B, 3, H, W).

        Returns:
            tuple[Tensor, Tensor]: ``dets`` (B, 100, 5), corners x1, y1, x2, y2 in
            pixels and scores, sorted by score; and ``labels`` (B, 100), all 0. If there
            are fewer boxes, the last ones have a score of 0.
        """
        head = self.model.bbox_head
        priors = head.prior_generator
        per_level, level_sides = head(self.model.extract_feat(x))
        scores = [level[:, self.labels].amax(1).flatten(1) for level in per_level]
        scores = torch.cat(scores, dim=1).sigmoid()  # (B, N)
        levels = zip(level_sides, priors.strides, strict=True)
        boxes = [_boxes(sides, stride[0], priors.offset) for sides, stride in levels]
        boxes = torch.cat(boxes, dim=1)
        iou = float(self.model.test_cfg.nms.iou_threshold)
        chosen = torch.ops.mmhot.choose_boxes(boxes, scores, iou, _MIN_BOX_SCORE)
        # Small images have fewer points than boxes that are returned.
        scores = nn.functional.pad(scores * chosen, (0, _MAX_PEOPLE))
        boxes = nn.functional.pad(boxes, (0, 0, 0, _MAX_PEOPLE))
        scores, index = scores.topk(_MAX_PEOPLE)
        boxes = boxes.gather(1, index.unsqueeze(-1).expand(-1, -1, 4))
        boxes = boxes * (scores > 0).unsqueeze(-1)
        return torch.cat([boxes, scores.unsqueeze(-1)], dim=-1), torch.zeros_like(index)


def _boxes(sides: Tensor, stride: int, offset: float) -> Tensor:
    """Convert distances to the sides of boxes (B, 4, H, W) to corners (B, N, 4).

    Corners are in pixels, x1, y1, x2, y2, and clipped to the image, as by MMDetection.
    The points from which distances are measured are ``stride`` pixels apart. The first
    one is ``offset * stride`` pixels right of and below the image's top left corner.
    """
    height, width = sides.shape[2:]
    ys = (torch.arange(height, device=sides.device) + offset) * stride
    xs = (torch.arange(width, device=sides.device) + offset) * stride
    ys, xs = (x.to(sides.dtype) for x in torch.meshgrid(ys, xs, indexing='ij'))
    left, top, right, bottom = sides.unbind(1)
    columns = torch.stack([xs - left, xs + right], dim=-1).clamp(0, width * stride)
    rows = torch.stack([ys - top, ys + bottom], dim=-1).clamp(0, height * stride)
    corners = torch.stack([columns, rows], dim=-1)  # (B, H, W, 2, 2)
    return corners.flatten(3).flatten(1, 2)


@torch.library.custom_op('mmhot::choose_boxes', mutates_args=())
def choose_boxes(boxes: Tensor, scores: Tensor, iou: float, least: float) -> Tensor:
    """Choose boxes by non-maximum suppression.

    Args:
        boxes (Tensor): Corners x1, y1, x2, y2, (B, N, 4).
        scores (Tensor): Scores, (B, N).
        iou (float): Largest intersection over union with a box of higher score. Boxes
            with more overlap are dropped.
        least (float): Boxes with scores up to this one are dropped.

    Returns:
        Tensor: Mask of the chosen boxes, (B, N), bool.
    """
    from torchvision.ops import nms

    chosen = torch.zeros_like(scores, dtype=torch.bool)
    for mask, corners, confidence in zip(chosen, boxes, scores, strict=True):
        (candidates,) = (confidence > least).nonzero(as_tuple=True)
        order = nms(corners[candidates], confidence[candidates], iou)
        mask[candidates[order[:_MAX_PEOPLE]]] = True
    return chosen


@choose_boxes.register_fake
def _(boxes: Tensor, scores: Tensor, iou: float, least: float) -> Tensor:
    """Return a mask of the shape of :func:`choose_boxes`, (B, N), for tracing."""
    return torch.empty_like(scores, dtype=torch.bool)


def write_graph(
    graph: nn.Module,
    example: Tensor,
    path: Path,
    metadata: dict[str, str],
    opset: int = OPSET,
) -> None:
    """Export a graph to an ONNX file.

    The size of the batch is dynamic. For detectors, the height and width of images are,
    too, in multiples of 32.

    Args:
        graph (nn.Module): One of the graphs of this module, in evaluation mode.
        example (Tensor): Example input, (B, ...).
        path (Path): File to write.
        metadata (dict[str, str]): Texts to store in the file, by name.
        opset (int): Version of the operators. Defaults to 23.

    Raises:
        ValueError: If packages are missing, PyTorch cannot export the model, or
            ``opset`` lacks operators of the model.

    Example::

        graph = LifterGraph(lifter.eval())
        write_graph(graph, torch.zeros(2, 81, 17, 2), Path('lifter.onnx'), {})
    """
    program = trace_graph(graph, example, opset=opset)
    version = program.model.opset_imports.get('')
    if version != opset:
        raise ArgumentError(
            '{opset=%s} lacks operators of this model, which %s has', opset, version
        )
    program.model.metadata_props.update(metadata)
    with _quietly():
        program.save(path)


def trace_graph(
    graph: nn.Module, example: Tensor, optimize: bool = True, opset: int = OPSET
) -> Any:
    """Translate a graph to ONNX, in memory; see :func:`write_graph`.

    Args:
        graph (nn.Module): One of the graphs of this module, in evaluation mode.
        example (Tensor): Example input, (B, ...).
        optimize (bool): Whether to compute constants in advance. Defaults to True.
        opset (int): Version of the operators. Defaults to 23.

    Returns:
        torch.onnx.ONNXProgram: The graph.

    Raises:
        ValueError: If PyTorch cannot export the model, or fixes its batch size.
    """
    import_extra('onnxscript', 'the export', 'export')
    axes = {0: torch.export.Dim('batch', min=1, max=65536)}
    if isinstance(graph, DetectorGraph):
        axes |= {
            2: 32 * torch.export.Dim('rows', min=1, max=256),
            3: 32 * torch.export.Dim('columns', min=1, max=256),
        }
    with _quietly(), torch.no_grad():
        try:
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                opset_version=opset,
                input_names=[graph.input_name],
                output_names=graph.output_names,
                dynamic_shapes=(axes,),
                custom_translation_table=_translations(opset),
                verbose=False,
                optimize=optimize,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            raise ValueError(
                f'PyTorch cannot export the model: {one_line(error):.200}'
            ) from error
    shape = program.model.graph.inputs[0].shape
    if isinstance(shape[0], int):
        raise ValueError(f'PyTorch exports this model for batches of {shape[0]} only')
    return program


@contextmanager
def _quietly():
    """Silence the exporter's warnings about packages that it does not need."""
    logging.disable(logging.WARNING)
    try:
        with ignored_warnings():
            yield
    finally:
        logging.disable(logging.NOTSET)


def _translations(opset: int) -> dict[Any, Any]:
    """Return a function for each operator of PyTorch that is translated here.

    Each function gets the arguments of the operator, with values of the graph in place
    of tensors, and returns the values that replace the operator's outputs.
    """
    import onnxscript

    op = getattr(onnxscript, f'opset{opset}')
    table = _translations_of_order(op) | _translations_of_layers(op)
    if opset < _ATTENTION_OPSET:
        del table[torch.ops.aten.scaled_dot_product_attention.default]
    return table


def _translations_of_order(op: Any) -> dict[Any, Any]:
    """Return translations of operators that accumulate and choose."""

    def cumulative_max(x, dim):
        """Return the largest value up to each index, (..., N), and its index.

        The values, which are indices from 0, are repeated as rows of a matrix. Row i
        has the values up to i, and -1 after them.
        """
        length = op.Shape(x, start=-1)
        ends = op.Range(0, op.Squeeze(length), 1)
        later = op.Less(op.Unsqueeze(ends, [1]), ends)
        rows = op.Where(later, op.Constant(value_ints=[-1]), op.Unsqueeze(x, [-2]))
        values = op.ReduceMax(rows, [-1], keepdims=0)
        return values, op.ArgMax(rows, axis=-1, keepdims=0)

    def choose(boxes, scores, iou, least):
        """Mark the boxes (B, N, 4) that non-maximum suppression keeps, (B, N)."""
        chosen = op.NonMaxSuppression(
            boxes, op.Unsqueeze(scores, [1]), [_MAX_PEOPLE], [iou], [least]
        )
        index = op.Gather(chosen, op.Constant(value_ints=[0, 2]), axis=1)
        none = op.Expand(op.Constant(value_float=0.0), op.Shape(scores))
        count = op.Shape(index, start=0, end=1)
        ones = op.Expand(op.Constant(value_float=1.0), count)
        return op.Cast(op.ScatterND(none, index, ones), to=_BOOL)

    return {
        torch.ops.aten.cummax.default: cumulative_max,
        torch.ops.mmhot.choose_boxes.default: choose,
    }


def _translations_of_layers(op: Any) -> dict[Any, Any]:
    """Return translations of attention and of linear layers."""

    def attend(q, k, v, mask=None, dropout=0.0, is_causal=False, scale=None, **_):
        """Attend with queries, keys and values (B, H, N, D).

        The heads are joined to (B, N, C) first, as the model has split them just
        before, and both transpositions cancel out. A mask of keys holds for all
        queries.
        """
        heads = q.shape[1]
        dims = q.shape[3]
        joined = op.Constant(value_ints=[0, 0, heads * dims])
        split = op.Constant(value_ints=[0, 0, heads, dims])
        if mask is not None:
            mask = op.Expand(mask, op.Constant(value_ints=[1, 1, q.shape[2], 1]))
        q, k, v = (
            op.Reshape(op.Transpose(x, perm=[0, 2, 1, 3]), joined) for x in (q, k, v)
        )
        x, *_ = op.Attention(
            q, k, v, mask, scale=scale, q_num_heads=heads, kv_num_heads=heads
        )
        return op.Transpose(op.Reshape(x, split), perm=[0, 2, 1, 3])

    def linear(x, weight, bias=None):
        """Map vectors (..., C); Gemm multiplies and adds the bias in one operator."""
        if bias is None:
            return op.MatMul(x, op.Transpose(weight, perm=[1, 0]))
        rows = op.Reshape(x, op.Constant(value_ints=[-1, x.shape[-1]]))
        rows = op.Gemm(rows, weight, bias, transB=1)
        lead = [size if isinstance(size, int) else -1 for size in x.shape[:-1]]
        shape = op.Constant(value_ints=[*lead, weight.shape[0]])
        if lead.count(-1) > 1:
            shape = op.Concat(op.Shape(x, end=-1), weight.shape[:1], axis=0)
        return op.Reshape(rows, shape)

    return {
        torch.ops.aten.scaled_dot_product_attention.default: attend,
        torch.ops.aten.linear.default: linear,
    }
