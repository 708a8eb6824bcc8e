"""ONNX files of image models: their properties, and the normalization of images.

Facts come from ``meta.json`` of ``mmhot export`` and ``pipeline.json`` of MMDeploy.
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmhot.chain.pose2d.cache import identify
from mmhot.chain.pose2d.interfaces import Images
from mmhot.deploy.onnx_sessions import open_session, read_meta, run_session
from mmhot.errors import ArgumentError, naming
from mmhot.geometry.crops import IMAGE_MEAN, IMAGE_STD
from mmhot.io.arrays import load_object
from mmhot.skeletons.joints import (
    Skeleton,
    described_skeleton,
    get_skeleton,
    skeleton_with,
)
from mmhot.weights.hub import MODEL_FILE, PIPELINE_FILE, SDK_FILE

_LOGGER = logging.getLogger(__name__)

# Steps of pipeline.json state the size of the input, width first, under these names.
_SIZES = ('input_size', 'image_size', 'size')
_HUB_FOLDER = 'onnx'  # folder of the graphs in repositories of the Hugging Face Hub


class Colors(NamedTuple):
    """A network's planes: channels of a BGR image, with their means and deviations."""

    channels: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET_RGB = Colors((2, 1, 0), IMAGE_MEAN, IMAGE_STD)
IMAGENET_BGR = Colors((0, 1, 2), IMAGE_MEAN[::-1], IMAGE_STD[::-1])
RAW_BGR = Colors((0, 1, 2), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
RAW_RGB = RAW_BGR._replace(channels=(2, 1, 0))


class PipelineFile(NamedTuple):
    """Values that ``pipeline.json`` of MMDeploy's SDK states; None if it does not."""

    colors: Colors | None = None  # normalization
    size: tuple[int, int] | None = None  # width and height of the input
    padding: float | None = None  # factor by which boxes are enlarged
    udp: bool | None = None  # whether heatmaps are in UDP's coordinates


class OnnxFile:
    """An ONNX file in ONNX Runtime, with all that is known of its model.

    Arguments and errors: see :func:`mmhot.deploy.onnx_sessions.open_session`.

    Attributes:
        path (Path): The file.
        name (str): Name of the model.
        session: Session of ONNX Runtime.
        meta (dict): ``meta.json`` of ``mmhot export``, or empty.
        pipeline (PipelineFile): ``pipeline.json`` of MMDeploy, or empty.
        input: The input of the session.
        is_image (bool): Whether the input is images of three channels.
        outputs (dict): Shapes of the outputs by name; open sides are text.
    """

    def __init__(
        self, path: str | Path, device: str, threads: int | None = None
    ) -> None:
        self.path = Path(path)
        folder = self.path.absolute().parent
        if folder.name == _HUB_FOLDER:
            folder = folder.parent
        self.session = open_session(path, device, threads)
        self.meta = read_meta(self.session, path)
        self.pipeline = _read_pipeline(self.path.with_name(PIPELINE_FILE))
        has_common_name = self.path.name in (MODEL_FILE, SDK_FILE)
        name = folder.name if has_common_name else self.path.stem
        self.name = self.meta.get('name', name)
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            names = ', '.join(entry.name for entry in inputs)
            raise ValueError(f'{path} has the inputs {names}: one image is expected')
        self.input = inputs[0]
        shape = [*self.input.shape, None, None, None][:4]
        # MoveNet's images end with the channels.
        self._channels_last = shape[3] == 3 and shape[1] != 3
        sides = shape[1:3] if self._channels_last else shape[2:]
        self._height, self._width = (x if isinstance(x, int) else 0 for x in sides)
        is_open = not isinstance(shape[1], int)  # the number of channels is not stated
        has_planes = self._channels_last or is_open or shape[1] == 3
        self.is_image = len(self.input.shape) in (0, 4) and has_planes
        self.outputs = {entry.name: entry.shape for entry in self.session.get_outputs()}

    def identify(self, **options: Any) -> dict[str, Any]:
        """Describe file, pipeline and options by plain values."""
        if any(self.pipeline):
            options['pipeline'] = repr(self.pipeline)
        return identify(self.name, self.path, **options)

    def run(self, batch: np.ndarray, outputs: list[str] | None = None) -> list:
        """Run the model on planes (B, 3, H, W), and return all or the named outputs."""
        if self._channels_last:
            batch = batch.transpose(0, 2, 3, 1)
        return run_session(self.session, self.path, batch, outputs or [*self.outputs])

    def input_size(self, side: int = 0) -> tuple[int, int]:
        """Return width and height of the input in pixels.

        The graph states them, or else the pipeline. Otherwise both are ``side``.
        """
        width, height = self.pipeline.size or (side, side)
        return self._width or width, self._height or height

    def output_shapes(self, size: tuple[int, int]) -> list[tuple[int, ...]]:
        """Return the shapes of the outputs for an input of a size (width, height).

        If the file leaves them open, a run of the model shows them.
        """
        shapes = [tuple(shape) for shape in self.outputs.values()]
        if all(isinstance(side, int) for shape in shapes for side in shape[1:]):
            return shapes
        zeros = np.zeros((1, 3, *size[::-1]), np.float32)
        return [output.shape for output in self.run(zeros)]

    def find_skeleton(self, num_keypoints: int, name: str | None) -> Skeleton:
        """Choose the skeleton by argument, metadata, or number of keypoints.

        Args:
            num_keypoints (int): Keypoints that the model predicts.
            name (str, optional): Skeleton that the user has given.

        Returns:
            Skeleton: The skeleton; a warning names it if it was assumed by the number.

        Raises:
            ValueError: If the skeleton has another number of keypoints.
        """
        metadata = self.session.get_modelmeta().custom_metadata_map
        with naming(self.path):
            if name is None and 'joints' in self.meta:  # an export has its own
                name = described_skeleton(self.meta).name
            name = name or self.meta.get('skeleton') or metadata.get('skeleton')
            if name is None:
                name = skeleton_with(num_keypoints, 'pose2d_skeleton')
                _LOGGER.warning(
                    ArgumentError(
                        '%s does not name its %d keypoints: assuming %s; give another '
                        'as {pose2d_skeleton}',
                        self.path,
                        num_keypoints,
                        name,
                    )
                )
            skeleton = get_skeleton(name)
            if skeleton.num_keypoints != num_keypoints:
                raise ValueError(
                    f'has {num_keypoints} keypoints, but skeleton {skeleton.name!r} '
                    f'has {skeleton.num_keypoints}: choose one with as many'
                )
        return skeleton

    def has_udp_heatmaps(self) -> bool:
        """Return whether heatmaps are in UDP's coordinates.

        The pipeline states it, or else the name of the file. ViTPose's heatmaps are,
        and its graph can be recognized.
        """
        if self.pipeline.udp is not None:
            return self.pipeline.udp
        if 'udp' in self.name.lower():
            return True
        # Graphs keep the names of weights. ViTPose is the only model with heatmaps that
        # is a plain vision transformer: it embeds patches, and has no stages like
        # Swin's.
        graph = self.path.read_bytes()
        return b'patch_embed' in graph and b'.stages.' not in graph


def normalize(images: Images, colors: Colors) -> np.ndarray:
    """Normalize images of one size.

    Args:
        images (Images): BGR images, uint8 (H, W, 3).
        colors (Colors): Channels of the planes, with their means and deviations.

    Returns:
        np.ndarray: Planes (B, 3, H, W) float32.
    """
    batch = np.empty((len(images), 3, *images[0].shape[:2]), np.float32)
    # One plane after the other is ten times as fast as all at once.
    for planes, image in zip(batch, images, strict=True):
        for plane, channel, mean, std in zip(planes, *colors, strict=True):
            values = image[..., channel]
            np.subtract(values, np.float32(mean), out=plane, dtype=np.float32)
            plane /= np.float32(std)
    return batch


def _read_pipeline(path: Path) -> PipelineFile:
    """Read ``pipeline.json`` of MMDeploy; empty if there is none."""
    if not path.is_file():
        return PipelineFile()
    with naming(path):
        tasks = load_object(path)['pipeline']['tasks']
        steps = [step for task in tasks for step in task.get('transforms', [])]
        # Decoders come first: in some files, crops have the sizes of other models.
        steps = [task['params'] for task in tasks if 'params' in task] + steps
        sizes = [step[key] for key in _SIZES for step in steps if step.get(key)]
        by_type = {step.get('type'): step for step in steps}
        padding = by_type.get('TopDownGetBboxCenterScale', {}).get('padding')
        # Without this step the network expects raw images.
        normalized = by_type.get('Normalize', RAW_BGR._asdict())
        mean, std = (tuple(map(float, normalized[key])) for key in ('mean', 'std'))
        planes = RAW_RGB if normalized.get('to_rgb') else RAW_BGR
        return PipelineFile(
            Colors(planes.channels, mean, std),
            (int(sizes[0][0]), int(sizes[0][1])) if sizes else None,
            padding and float(padding),
            any(x.get('use_udp') or 'UDP' in str(x.get('type')) for x in steps),
        )
