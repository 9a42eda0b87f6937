"""Deciding without torch: an export folder, numpy, onnxruntime and Pillow are all that it takes.

Nothing here may import anything else; a test sees to it. A newcomer adds what a shop-floor computer needs, and no more.
"""

from vssl.decisions.core import Decision
from vssl.runtime.decider import Decider, load

__all__ = ["Decider", "Decision", "load"]
