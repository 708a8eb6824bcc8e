"""Steps of 3D poses, after the lift: filters, bones, toes, feet, other tools."""
