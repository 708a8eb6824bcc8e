"""OpenSim model whose markers are mmhot's joints, and how to scale it."""

from collections.abc import Iterable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import TypeVar

import numpy as np
import opensim
from opensim import ArrayStr, Vec3

T = TypeVar('T', opensim.ArrayDouble, ArrayStr)
opensim.Logger.removeFileSink()  # no opensim.log where it is imported

# Bodies: share of the mass of 75 kg, and markers in meters from the body's origin, x
# forward, y up, z to the right. Names of one side stand for both.
BODIES = {
    'pelvis': (0.142, {'root': (0, 0, 0), 'spine': (0, 0.23, 0)}),
    'torso': (0.436, {'thorax': (0, 0.298, 0)}),
    'femur': (0.1, {'hip': (0, 0, 0)}),
    'tibia': (0.0465, {'knee': (0, 0, 0)}),
    'foot': (
        0.0145,
        {'ankle': (0, 0, 0), 'heel': (-0.032, -0.04, 0), 'big_toe': (0.205, -0.04, 0)},
    ),
    'humerus': (0.028, {'shoulder': (0, 0, 0)}),
    'forearm': (0.022, {'elbow': (0, 0, 0), 'wrist': (0, -0.25, 0)}),
}
MASS = 75.0
X, Y, Z = (1, 0, 0), (0, 1, 0), (0, 0, 1)
# Joints: parent, place in it, and axes of the coordinates, named as in OpenSim's
# full-body model (https://doi.org/10.1109/TBME.2016.2586891).
PELVIS = {'pelvis_tilt': Z, 'pelvis_list': X, 'pelvis_rotation': Y}
JOINTS = {
    'torso': (
        *('pelvis', (0, 0.23, 0)),
        {'lumbar_extension': Z, 'lumbar_bending': X, 'lumbar_rotation': Y},
    ),
    'femur': (
        *('pelvis', (0, 0, 0.095)),
        {'hip_flexion': Z, 'hip_adduction': X, 'hip_rotation': Y},
    ),
    'tibia': ('femur', (0, -0.42, 0), {'knee_angle': (0, 0, -1)}),
    'foot': (
        *('tibia', (0, -0.4, 0)),
        {'ankle_angle': Z, 'subtalar_angle': X, 'toe_out': Y},
    ),
    'humerus': (
        *('torso', (-0.008, 0.28, 0.173)),
        {'arm_flex': Z, 'arm_add': X, 'arm_rot': Y},
    ),
    'forearm': ('humerus', (0, -0.29, 0), {'elbow_flex': Z}),
}
PAIRED = ('femur', 'tibia', 'foot', 'humerus', 'forearm')
# Distances between markers that scale bodies along their axes.
MEASUREMENTS = {
    'pelvis width': ('pelvis', 'Z', 'right_hip', 'left_hip'),
    'pelvis height': ('pelvis', 'X Y', 'root', 'spine'),
    'torso width': ('torso', 'Z', 'right_shoulder', 'left_shoulder'),
    'torso height': ('torso', 'X Y', 'spine', 'thorax'),
    'thigh': ('femur', 'X Y Z', 'hip', 'knee'),
    'shin': ('tibia', 'X Y Z', 'knee', 'ankle'),
    'foot': ('foot', 'X Y Z', 'heel', 'big_toe'),
    'upper arm': ('humerus', 'X Y Z', 'shoulder', 'elbow'),
    'forearm': ('forearm', 'X Y Z', 'elbow', 'wrist'),
}


def sided() -> Iterator[tuple[str, str, int]]:
    """Yield each body, the beginning of its markers' names, and the sign of z."""
    for part in BODIES:
        sides = {'right_': 1, 'left_': -1} if part in PAIRED else {'': 1}
        for side, sign in sides.items():
            yield part, side, sign


def body_name(part: str, side: str) -> str:
    """Return the name of a body, such as ``'femur_r'``."""
    return f'{part}_{side[0]}' if side else part


def transform(coordinates: dict[str, tuple], moves: bool) -> opensim.SpatialTransform:
    """Return rotations about axes, and, of the pelvis, translations along x, y, z."""
    result = opensim.SpatialTransform()
    rotations = list(coordinates.items())
    rotations += [(None, axis) for axis in (Z, X, Y)][len(rotations) :]
    shifts = [(f'pelvis_t{axis}' if moves else None) for axis in 'xyz']
    for number, (name, axis) in enumerate(
        [*rotations, *zip(shifts, (X, Y, Z), strict=True)]
    ):
        part = result.updTransformAxis(number)
        part.setAxis(Vec3(*map(float, axis)))
        function = opensim.Constant(0) if name is None else opensim.LinearFunction()
        function.thisown = False  # it belongs to the axis
        part.setFunction(function)
        if name is not None:
            part.setCoordinateNames(ArrayStr(name, 1))
    return result


def make_model() -> opensim.Model:
    """Build the model of an adult of 1.75 m."""
    model = opensim.Model()
    model.setName('mmhot')
    bodies = {'ground': model.getGround()}
    joints = {'pelvis': ('ground', (0, 0, 0), PELVIS), **JOINTS}
    for part, side, sign in sided():
        share, markers = BODIES[part]
        name, mass = body_name(part, side), share * MASS
        inertia = opensim.Inertia(*[0.02 * mass] * 3)
        bodies[name] = body = opensim.Body(name, mass, Vec3(0), inertia)
        model.addBody(body)
        for marker, place in markers.items():
            place = Vec3(*map(float, place))
            model.addMarker(opensim.Marker(side + marker, body, place))
        parent, (x, y, z), coordinates = joints[part]
        above = bodies[body_name(parent, side if parent in PAIRED else '')]
        # adduction and rotation are positive towards the middle
        own = {
            body_name(coordinate, side): (sign * a, sign * b, c)
            for coordinate, (a, b, c) in coordinates.items()
        }
        joint = opensim.CustomJoint(
            *(f'{name}_joint', above, Vec3(x, y, sign * z), Vec3(0)),
            *(body, Vec3(0), Vec3(0)),
            transform(own, part == 'pelvis'),
        )
        model.addJoint(joint)
    model.finalizeConnections()
    return model


def make_scaling(
    model: str, markers: str, times: tuple[float, float], scaled: str
) -> opensim.ScaleTool:
    """Set up the scaling of a model's file to a person: the names of three files."""
    tool = opensim.ScaleTool()
    tool.setSubjectMass(MASS)
    tool.getGenericModelMaker().setModelFileName(model)
    tool.getMarkerPlacer().setApply(False)
    scaler = tool.getModelScaler()
    scaler.setApply(True)
    scaler.setScalingOrder(ArrayStr('measurements', 1))
    scaler.setMarkerFileName(markers)
    scaler.setOutputModelFileName(scaled)
    scaler.setTimeRange(_filled(opensim.ArrayDouble(), times))
    for name, (part, axes, *ends) in MEASUREMENTS.items():
        measurement = opensim.Measurement()
        measurement.setName(name)
        measurement.setApply(True)
        for side in (side for other, side, _ in sided() if other == part):
            scale = opensim.BodyScale()
            scale.setName(body_name(part, side))
            scale.setAxisNames(_filled(ArrayStr(), axes.split()))
            measurement.getBodyScaleSet().cloneAndAppend(scale)
            pair = opensim.MarkerPair(*(side + x for x in ends))
            measurement.getMarkerPairSet().cloneAndAppend(pair)
        scaler.addMeasurement(measurement)
    return tool


def make_inverse_kinematics(
    model: str, markers: str, times: tuple[float, float], motion: str
) -> opensim.InverseKinematicsTool:
    """Set up inverse kinematics, in which all markers count as much."""
    tool = opensim.InverseKinematicsTool()
    tool.setName(Path(motion).stem)  # begins the names of files of errors
    tool.set_model_file(model)
    tool.setMarkerDataFileName(markers)
    tool.setStartTime(times[0])
    tool.setEndTime(times[1])
    tool.setOutputMotionFileName(motion)
    for name in (f'{side}{x}' for part, side, _ in sided() for x in BODIES[part][1]):
        task = opensim.IKMarkerTask()
        task.setName(name)
        task.setWeight(1)
        tool.getIKTaskSet().cloneAndAppend(task)
    return tool


def solve(markers: Path) -> Path:
    """Write and run the set-up files of a ``.trc``; return the motion's file."""
    table = opensim.TimeSeriesTableVec3(str(markers))
    times = table.getIndependentColumn()
    span = times[0], times[-1]
    name = markers.stem
    with chdir(markers.parent):  # to which names of files in set-ups are relative
        make_model().printToXML(f'{name}_generic.osim')
        scaled = f'{name}_generic.osim', markers.name, span, f'{name}.osim'
        make_scaling(*scaled).printToXML(f'{name}_scaling.xml')
        opensim.ScaleTool(f'{name}_scaling.xml').run()
        solved = f'{name}.osim', markers.name, span, f'{name}_ik.mot'
        make_inverse_kinematics(*solved).printToXML(f'{name}_ik.xml')
        opensim.InverseKinematicsTool(f'{name}_ik.xml').run()
    return markers.with_name(f'{name}_ik.mot')


def differences(motion: Path, other: Path) -> dict[str, float]:
    """Return the mean absolute difference of each angle of two motions, degrees."""
    tables = [opensim.TimeSeriesTable(str(path)) for path in (motion, other)]
    names = [set(table.getColumnLabels()) for table in tables]
    found = {}
    for name in sorted(names[0] & names[1]):
        one, two = (table.getDependentColumn(name).to_numpy() for table in tables)
        if not name.startswith('pelvis_t') or name == 'pelvis_tilt':
            found[name] = float(np.abs((one - two + 180) % 360 - 180).mean())
    return found


def _filled(array: T, values: Iterable[float | str]) -> T:
    """Append values to an array of OpenSim, which takes no lists."""
    for value in values:
        array.append(value)
    return array
