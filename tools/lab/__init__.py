"""Studies, benchmarks and rendering: what the wheel does not hold."""
