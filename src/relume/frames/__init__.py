"""Several frames of one scene: bursts merged into one photo, clips relit without flicker."""

from __future__ import annotations

from relume.frames.burst import Burst, enhance_burst, merge_burst

__all__ = ["Burst", "enhance_burst", "merge_burst"]
