_base_ = './default_runtime.py'

# what MMPose's 3D inferencer draws with
visualizer = dict(type='Pose3dLocalVisualizer')
