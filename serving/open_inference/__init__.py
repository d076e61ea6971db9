"""The Open Inference Protocol v2: tensors in the place of instances, in JSON or as binary data."""
