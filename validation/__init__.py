"""What the papers claim, repeated: one file or folder a claim."""
