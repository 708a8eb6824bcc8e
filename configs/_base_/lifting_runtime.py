_base_ = './default_runtime.py'

# for MMPose's 3D inferencer
visualizer = dict(type='Pose3dLocalVisualizer')
