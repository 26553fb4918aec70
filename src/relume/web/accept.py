"""The Accept header (RFC 9110, section 12.5.1), as far as choosing one of a few types needs it."""

from __future__ import annotations

from collections.abc import Mapping


def acceptable(accept: str, kinds: Mapping[str, str], preferred: str) -> str | None:
    """The name of the kind (name -> media type) that the header wants most, or None.

    Of equally wanted ones ``preferred`` comes first, then their order.

    >>> acceptable("image/webp,*/*;q=0.8", {"png": "image/png", "webp": "image/webp"}, "png")
    'webp'
    >>> acceptable("image/*", {"png": "image/png", "webp": "image/webp"}, "webp")
    'webp'
    >>> acceptable("text/html", {"png": "image/png"}, "png")
    """
    ranges = _ranges(accept) or [("*/*", 1.0)]
    order = sorted(kinds, key=lambda name: name != preferred)
    weights = {name: _weight(kinds[name], ranges) for name in order}
    best = max(order, key=lambda name: weights[name])
    return best if weights[best] > 0 else None


def _ranges(accept: str) -> list[tuple[str, float]]:
    ranges = []
    for part in accept.split(","):
        media, *options = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for option in options:
            key, _, value = option.partition("=")
            if key.strip() == "q":
                try:
                    weight = min(max(float(value), 0.0), 1.0)
                except ValueError:
                    weight = 0.0
        if media:
            ranges.append((media, weight))
    return ranges


def _weight(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """The weight of the most specific range that covers the type."""
    family = media_type.split("/")[0]
    for covering in (media_type, f"{family}/*", "*/*"):
        found = [weight for media, weight in ranges if media == covering]
        if found:
            return max(found)
    return 0.0
