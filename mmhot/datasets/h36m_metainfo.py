"""Human3.6M's 17 joints as MMPose describes datasets."""

from mmhot.skeletons.joints import get_skeleton

_ORANGE, _GREEN, _BLUE = [255, 128, 0], [0, 255, 0], [51, 153, 255]


def h36m_metainfo() -> dict:
    """Describe the joints as MMPose's ``h36m.py``, with another ``stats_info``.

    MMPose's 3D inferencers move every person into the box of ``stats_info`` unless they
    are told not to, and do not say so. Theirs is where people stand in Human3.6M's
    pictures, where they may stand in any; in this one, of side one around zero, nobody
    does, so that a pipeline sees what was done (see :class:`ProjectToVirtualCamera`).
    """
    skeleton = get_skeleton('h36m-17')
    legs = {'root', *skeleton.groups['right_leg'], *skeleton.groups['left_leg']}
    keypoint_info = {
        index: dict(
            name=joint,
            id=index,
            color=_color(joint),
            type='lower' if joint in legs else 'upper',
            swap=skeleton.joints[partner] if partner != index else '',
        )
        for index, (joint, partner) in enumerate(
            zip(skeleton.joints, skeleton.flip_indices, strict=True)
        )
    }
    skeleton_info = {
        index: dict(
            link=(skeleton.joints[parent], skeleton.joints[child]),
            id=index,
            color=_color(skeleton.joints[child]),
        )
        for index, (parent, child) in enumerate(skeleton.bones)
    }
    return dict(
        dataset_name='h36m',
        keypoint_info=keypoint_info,
        skeleton_info=skeleton_info,
        joint_weights=[1.0] * skeleton.num_keypoints,
        sigmas=[],
        stats_info=dict(bbox_center=(0.0, 0.0), bbox_scale=1.0),
    )


def _color(joint: str) -> list[int]:
    if joint.startswith('right'):
        return _ORANGE
    return _GREEN if joint.startswith('left') else _BLUE
