"""In and out: PyTorch weights, ONNX."""
