"""CMU Panoptic's files of a frame each: x, y, z and score of 19 joints."""

from mmhot.io.readers.keys import Key
from mmhot.skeletons.joints import get_skeleton

KEYS = {
    'joints19': Key('points_3d', {'joint_names': get_skeleton('panoptic-19').joints})
}
