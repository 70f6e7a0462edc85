"""ONNX files, read and computed without a converter."""
