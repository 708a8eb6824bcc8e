"""Arguments of a call of MMPose's inferencer: supported, and refused ones."""

from dataclasses import dataclass, fields
from typing import Any

from mmhot.apis.option_fields import Options, option
from mmhot.errors import hint_at_names

AXES = ('mmpose', 'z-up', 'camera')

# Argument: its only supported value, and why others are refused.
REFUSED = {
    'bboxes': (None, 'det_model detects people (MMPose ignores it, too)'),
    'draw_heatmap': (False, 'models predict keypoints, not heatmaps'),
    'merge_results': (True, 'the people of an image always come together'),
    'pose_based_nms': (False, 'nms_thr and tracking remove duplicates'),
    'return_datasample': (None, 'the argument is return_datasamples'),
    'skeleton_style': ('mmpose', 'drawings have a style of their own'),
    'tracking_thr': (0.3, 'tracking uses the whole clip, without a threshold'),
    'use_oks_tracking': (False, 'tracking always uses keypoints and boxes'),
}
# MMPose moves people into one box by default; mmhot never does.
WITHOUT_EFFECT = {'disable_norm_pose_2d'}


@dataclass(frozen=True, kw_only=True)
class CallOptions(Options):
    """Options of a call of :class:`mmhot.apis.Inferencer`."""

    return_datasamples: bool = option(
        False, "return MMPose's data samples instead of lists of dicts"
    )
    batch_size: int = option(1, 'frames per batch in 2D', low=1, metavar='N')
    return_vis: bool = option(False, 'return drawings')
    show: bool = option(False, 'show drawings in a window')
    wait_time: float = option(
        0.0,
        'seconds for which each image is shown; 0 waits for a key',
        metavar='SECONDS',
    )
    draw_bbox: bool = option(False, 'draw bounding boxes')
    radius: int = option(3, 'radius of keypoints in pixels', low=1, metavar='PIXELS')
    thickness: int = option(1, 'thickness of bones in pixels', low=1, metavar='PIXELS')
    kpt_thr: float = option(
        0.3, 'least confidence of drawn keypoints', low=0, high=1, metavar='SCORE'
    )
    bbox_thr: float = option(
        0.3, 'boxes of this score or less are dropped', low=0, high=1, metavar='SCORE'
    )
    nms_thr: float | None = option(
        None,
        'IoU above which the box with the lower score is dropped (default: that of '
        'the detector, or else 0.3)',
        low=0,
        high=1,
        metavar='IOU',
    )
    vis_out_dir: str = option('', 'folder, or one file, for drawings', metavar='FOLDER')
    pred_out_dir: str = option('', 'folder for predictions', metavar='FOLDER')
    black_background: bool = option(False, 'draw on black instead of the image')
    num_instances: int = option(
        -1, 'people in the 3D view, the first ones; all if negative'
    )
    disable_rebase_keypoint: bool = option(
        False, 'keep 3D poses around the root instead of moving them to height 0'
    )
    axes: str = option('mmpose', 'axes of 3D keypoints', choices=AXES)
    fps: float | None = option(
        None, 'makes all images one video', low=0, high=1000, exclusive=True
    )

    @property
    def draws(self) -> bool:
        """Whether drawings are needed."""
        return bool(self.return_vis or self.show or self.vis_out_dir)


def read_call_options(out_dir: str | None = None, **given: Any) -> CallOptions:
    """Check the arguments of a call.

    Args:
        out_dir (str, optional): Parent of ``vis_out_dir`` and ``pred_out_dir``, where
            these are not given.
        **given (Any): The other arguments.

    Returns:
        CallOptions: Checked values.

    Raises:
        TypeError: If an argument is unknown.
        ValueError: If a value is wrong or not supported.
    """
    known = [field.name for field in fields(CallOptions)]
    if out_dir is not None:
        given.setdefault('vis_out_dir', f'{out_dir}/visualizations')
        given.setdefault('pred_out_dir', f'{out_dir}/predictions')
    for name in set(given) - set(known) - WITHOUT_EFFECT:
        if name not in REFUSED:
            hint = hint_at_names(name, [*known, 'out_dir'])
            raise TypeError(f'unexpected argument {name!r}; {hint}')
        value, reason = REFUSED[name]
        if given[name] != value:
            raise ValueError(f'{name}={given[name]!r} is not supported: {reason}')
    return CallOptions(**{name: v for name, v in given.items() if name in known})
