"""Deciding without torch: with an export folder, numpy, onnxruntime and Pillow.

Nothing here may import anything else; a test checks it. A newcomer adds what a computer without torch needs.
"""

from vssl.decisions.core import Decision
from vssl.runtime.decider import Decider, load

__all__ = ["Decider", "Decision", "load"]
