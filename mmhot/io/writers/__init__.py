"""Writers of 3D poses."""
