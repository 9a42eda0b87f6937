"""Modules whose weights are buffers that training fits at its end: empty before, and loaded in whatever shape."""

from typing import Any

from torch import nn


class FittedBuffers(nn.Module):
    """Takes the shapes of its buffers from the state that it loads."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name, buffer in list(self._buffers.items()):
            stored = state_dict.get(prefix + name)
            if stored is not None and buffer is not None:
                setattr(self, name, buffer.new_zeros(stored.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
