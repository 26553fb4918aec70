"""Several frames of one scene: bursts merged into one photo, clips relit without flicker."""

from __future__ import annotations

from relume.frames.burst import Burst, enhance_burst, merge_burst
from relume.frames.clip import ClipRelighter, enhance_frames, enhance_video
from relume.frames.sequence import enhance_sequence, is_sequence
from relume.frames.tracks import FaceTracker, FrameFaces, TrackedFace, detect_video

__all__ = [
    "Burst",
    "ClipRelighter",
    "FaceTracker",
    "FrameFaces",
    "TrackedFace",
    "detect_video",
    "enhance_burst",
    "enhance_frames",
    "enhance_sequence",
    "enhance_video",
    "is_sequence",
    "merge_burst",
]
