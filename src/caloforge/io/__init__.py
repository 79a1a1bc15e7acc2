"""Our files: how they are read without trust, and written whole or not at all."""
