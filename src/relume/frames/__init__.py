"""Several frames of one scene: bursts merged into one photo, clips relit without flicker."""

from __future__ import annotations

from relume.frames.burst import Burst, enhance_burst, merge_burst
from relume.frames.clip import ClipRelighter, enhance_frames, enhance_video
from relume.frames.sequence import enhance_sequence, is_sequence

__all__ = [
    "Burst",
    "ClipRelighter",
    "enhance_burst",
    "enhance_frames",
    "enhance_sequence",
    "enhance_video",
    "is_sequence",
    "merge_burst",
]
