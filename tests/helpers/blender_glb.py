"""Joint positions of a .glb by frame and person, in Blender, as JSON.

python blender_glb.py MOTION.glb OUT.json
"""

import json
import sys

import bpy

motion, out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = 25
bpy.ops.import_scene.gltf(filepath=motion)
people = [each for each in scene.objects if each.type == 'ARMATURE']
meshes = [each for each in scene.objects if each.find_armature() in people]
assert len(meshes) == len(people)
frames = {}
for frame in range(scene.frame_end + 1):
    scene.frame_set(frame)
    frames[frame] = {
        person.name: {
            bone.name: list(person.matrix_world @ bone.head)
            for bone in person.pose.bones
        }
        for person in people
    }
with open(out, 'w') as file:
    json.dump(frames, file)
