"""Pure numbers: what is measured of pictures, detections and landmarks, and what it shows."""
