_base_ = './default_runtime.py'

# MMPose's 3D inferencer needs this visualizer.
visualizer = dict(type='Pose3dLocalVisualizer')
