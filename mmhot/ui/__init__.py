"""Web page of ``mmhot ui``: upload a video, view it in 3D, download the results."""
