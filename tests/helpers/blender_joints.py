"""Joint positions of a .bvh after import by Blender, as JSON; a script for Blender.

blender --background --factory-startup --python blender_joints.py -- MOTION.bvh OUT.json
"""

import json
import sys

import bpy
from io_anim_bvh import import_bvh


# Blender 3.4 opens files in a mode that Python 3.11, Debian's, no longer has.
def open_text(path, mode):
    return open(path, mode.replace('U', ''))


import_bvh.open = open_text

motion, out = sys.argv[sys.argv.index('--') + 1 :]
# centimeters to meters; y up to Blender's z up, as its menu does
bpy.ops.import_anim.bvh(filepath=motion, global_scale=0.01)
body = bpy.context.object
scene = bpy.context.scene
first, last = map(int, body.animation_data.action.frame_range)
frames = []
for frame in range(first, last + 1):
    scene.frame_set(frame)
    frames.append(
        {bone.name: list(body.matrix_world @ bone.head) for bone in body.pose.bones}
    )
with open(out, 'w') as file:
    json.dump(frames, file)
