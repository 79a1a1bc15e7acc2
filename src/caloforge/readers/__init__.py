"""Emulators of the programs that read what caloforge exports, written from their contracts.

They need neither torch nor onnx, and know nothing of how a bundle was made.
"""
