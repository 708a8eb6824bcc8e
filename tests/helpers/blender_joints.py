"""Joint positions of a .bvh after import by Blender, as JSON.

python blender_joints.py MOTION.bvh OUT.json
"""

import json
import sys

import bpy

motion, out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
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
