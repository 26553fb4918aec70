"""XMP packets as they go with a result: upright, and without promises of what stayed behind.

A phone's JPEG may have a clip or a gain map behind its picture, HEIC an item more. Galleries go by
the XMP, and would look for them in a result that is one picture.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION_PREFIX = b"http://ns.adobe.com/xmp/extension/\0"
"""What begins the JPEG segments of a packet, and of what of it did not fit into one."""

CLIP, GAIN_MAP, DEPTH_MAP = "its clip", "its HDR gain map", "its depth map"
EXTENDED = "the part of its XMP beyond 64 KB"
GOOGLE = b"http://ns.google.com/photos/"
GONE = {
    b"http://ns.adobe.com/hdr-gain-map/1.0/": (rb"\w+", GAIN_MAP),
    b"http://ns.apple.com/HDRGainMap/1.0/": (rb"\w+", GAIN_MAP),
    b"http://ns.adobe.com/xmp/note/": (rb"HasExtendedXMP", EXTENDED),
    GOOGLE + b"1.0/camera/": (rb"(?:MotionPhoto|MicroVideo)\w*", CLIP),
    GOOGLE + b"1.0/container/": (rb"Directory", None),
    GOOGLE + b"dd/1.0/container/": (rb"Directory", None),
}
"""Properties by namespace that tell of parts of the file beside the picture, and of which."""

IN_EXTENSION = {
    GOOGLE + b"1.0/" + name + b"/": (rb"\w+", None) for name in (b"depthmap", b"image", b"audio")
}
"""What is nothing without the packet's extension."""

MOST_NAMESPACES = 100
ITEMS = {b"MotionPhoto": CLIP, b"GainMap": GAIN_MAP, b"Depth": DEPTH_MAP}
"""By the semantic of an item in a container's directory."""

NAMESPACE = re.compile(rb"\sxmlns:([\w.-]{1,80})\s{0,9}=\s{0,9}[\"']([^\"'<>]{1,200})[\"']")
SEMANTIC = re.compile(rb"Semantic(?:\s{0,9}=\s{0,9}[\"']|>)(\w{1,40})")
ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s{0,9}=\s{0,9}[\"']|>))([2-8])(?=[\"'<])")


class Plain(NamedTuple):
    """A packet for an upright picture alone; what orientation it had (0 for none); what is gone."""

    packet: bytes | None
    orientation: int = 0
    left_out: tuple[str, ...] = ()


def plain(packet: bytes | None) -> Plain:
    """The packet, saying that its picture is upright, and nothing of what is left out."""
    if not packet:
        return Plain(None)
    found = ORIENTATION.search(packet)
    packet = ORIENTATION.sub(rb"\g<1>1", packet)
    left_out: dict[str, None] = {}
    changed = False
    spaces = dict(NAMESPACE.findall(packet)[:MOST_NAMESPACES])
    gone = GONE | (IN_EXTENSION if b"HasExtendedXMP" in packet else {})
    for prefix, uri in spaces.items():
        names, what = gone.get(uri, (b"", None))
        if not names:
            continue
        packet, struck = _without(packet, re.escape(prefix) + b":" + names)
        if what and struck:
            left_out[what] = None
        changed = changed or bool(struck)
        left_out |= {ITEMS[word]: None for word in SEMANTIC.findall(struck) if word in ITEMS}
    for prefix, uri in spaces.items() if changed else ():
        if (uri in gone or uri.startswith(GOOGLE)) and packet.count(prefix + b":") == 0:
            packet = re.sub(
                rb"\sxmlns:" + re.escape(prefix) + rb"\s{0,9}=\s{0,9}[\"'][^\"']*[\"']", b"", packet
            )
    return Plain(packet, int(found[2]) if found else 0, tuple(left_out))


def _without(packet: bytes, name: bytes) -> tuple[bytes, bytes]:
    """The packet without properties of that name, attributes and elements, and what was struck."""
    struck = bytearray()

    def strike(match: re.Match[bytes]) -> bytes:
        struck.extend(match[0])
        return b""

    packet = re.sub(rb"\s" + name + rb"\s{0,9}=\s{0,9}(?:\"[^\"]*\"|'[^']*')", strike, packet)
    kept, at = bytearray(), 0
    for match in re.finditer(rb"<(" + name + rb")(?=[\s/>])", packet):
        if match.start() < at:
            continue  # inside of one that is struck
        end = packet.find(b">", match.end()) + 1
        if end and packet[end - 2 : end - 1] != b"/":
            close = b"</" + match[1] + b">"
            end = packet.find(close, end) + len(close)
            if end < len(close):
                break  # never closed: no XML
        if not end:
            break
        kept += packet[at : match.start()]
        struck += packet[match.start() : end]
        at = end
    return bytes(kept + packet[at:]), bytes(struck)
