"""Read ONNX files and run them with torch, without a converter."""
