"""3D pose lifters: hosts of hourglasses, backbones, heads, losses, estimator."""
