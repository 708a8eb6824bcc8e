"""What MMPose's 3D inferencers feed to a test pipeline, made fit for our codecs."""

import numpy as np

from mmhot.lens import DEFAULT_FOCAL_RATIO

# Where people stand in Human3.6M's pictures, by MMPose's `stats_info` of it.
_PICTURE = 1000
_BOX_CENTER = np.array([528.0, 427.0], np.float32)
_BOX_SIDE = 400.0
# No person in pixels is that small; joints may stick out of a detector's box.
_NORMALIZED = 10.0


def adopt_inferencer_input(results: dict) -> dict:
    """Tell where a sample's keypoints come from by its ``camera_param``.

    An inferencer gives the size of the user's picture, but by default it has moved each
    person into the box of ``stats_info`` before. Where that is the unit box of
    :func:`mmhot.datasets.h36m_metainfo.h36m_metainfo`, it can be seen, and the person
    is put where people stand in Human3.6M, before its camera. The place in the user's
    picture is lost; ``disable_norm_pose_2d=True`` keeps it.

    Args:
        results (dict): A sample with ``keypoints`` (T, K, 2) and, but for normalized
            ones, ``camera_param`` with ``w`` and ``h``. Both are replaced where the
            person was moved.

    Returns:
        dict: The sample.
    """
    keypoints = results['keypoints'][..., :2]
    scale = results.get('stats_info', {}).get('bbox_scale')
    if scale != 1 or np.abs(keypoints).max() > _NORMALIZED:
        return results
    results['keypoints'] = (keypoints * _BOX_SIDE + _BOX_CENTER).astype(np.float32)
    focal = DEFAULT_FOCAL_RATIO * _PICTURE
    results['camera_param'] = dict(
        w=_PICTURE,
        h=_PICTURE,
        f=np.array([focal, focal], np.float32),
        c=_BOX_CENTER,
    )
    return results
