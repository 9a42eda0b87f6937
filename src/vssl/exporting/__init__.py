"""Exports: a trained run as one ONNX file with its own policy, for computers without torch.

A newcomer adds another format as a file here; `folder` writes what `vssl.runtime` reads.
"""
