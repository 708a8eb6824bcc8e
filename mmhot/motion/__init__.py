"""Steps that improve clips: feet, sides, cameras, toes, returning people."""
