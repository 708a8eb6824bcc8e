"""Which joints are averaged together."""

from mmhot.skeletons.joints import Skeleton

_LIMBS = ('right_leg', 'left_leg', 'right_arm', 'left_arm')


def error_groups(skeleton: Skeleton) -> dict[str, list[int]]:
    """Joints of each body part, of each side, and by their distance from the trunk.

    Args:
        skeleton (Skeleton): With limbs of three joints.

    Returns:
        dict[str, list[int]]: Indices by name of the group. ``ends`` are wrists, feet
        (or ankles) and the top of the head: HTNet's paper claims its gain there.
    """
    limbs = {name: skeleton.indices(name) for name in _LIMBS}
    groups = {name: skeleton.indices(name) for name in ('torso', 'head')}
    groups = {name: joints for name, joints in groups.items() if joints}
    for name in ('arm', 'leg'):
        groups[f'{name}s'] = limbs[f'right_{name}'] + limbs[f'left_{name}']
    groups['left'], groups['right'] = skeleton.left, skeleton.right
    for place, name in enumerate(('hips, shoulders', 'knees, elbows')):
        groups[name] = [joints[place] for joints in limbs.values()]
    groups['ends'] = [joints[-1] for joints in limbs.values()]
    groups['ends'] += groups.get('head', [])[-1:]
    return groups


def pck_joints(skeleton: Skeleton) -> list[int]:
    """Joints that PCK and AUC count on MPI-INF-3DHP: limbs, neck, top of the head.

    Args:
        skeleton (Skeleton): Whose torso ends with the neck, and the head with its top.

    Returns:
        list[int]: 14 indices, rising. Root and spine are left out.
    """
    joints = {joint for name in _LIMBS for joint in skeleton.indices(name)}
    for name in ('torso', 'head'):
        joints.update(skeleton.indices(name)[-1:])
    return sorted(joints)
