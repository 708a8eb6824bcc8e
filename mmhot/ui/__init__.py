"""The page of ``mmhot ui``: drop a video, see it in 3D, take the files."""
