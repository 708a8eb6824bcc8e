"""Convert a .glb to .fbx as documented, read it again, write its joints as JSON.

python blender_fbx.py MOTION.glb MOTION.fbx OUT.json
"""

import json
import sys

import bpy

motion, fbx, out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 25
bpy.ops.import_scene.gltf(filepath=motion)
bpy.ops.export_scene.fbx(filepath=fbx, add_leaf_bones=False)
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 25
bpy.ops.import_scene.fbx(filepath=fbx)
scene = bpy.context.scene
(person,) = [each for each in scene.objects if each.type == 'ARMATURE']
assert any(each.find_armature() == person for each in scene.objects)
first = int(person.animation_data.action.frame_range[0])
frames = []
for frame in (0, 20):
    scene.frame_set(first + frame)
    frames.append(
        {bone.name: list(person.matrix_world @ bone.head) for bone in person.pose.bones}
    )
with open(out, 'w') as file:
    json.dump(frames, file)
