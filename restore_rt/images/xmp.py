"""XMP packets: statements that another picture would no longer fulfil are taken out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.dom.minidom import Element

__all__ = ["true_afterwards", "xmp_of_size"]

# Of what lies beside the picture in its file: gain maps, depth, videos, and how they are arranged.
_NAMESPACES = (
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/1.0/container/item/",
    "http://ns.google.com/photos/1.0/depthmap/",
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/audio/",
    "http://ns.google.com/photos/dd/1.0/device/",
    "http://ns.adobe.com/xmp/note/",
)
_NAMES = re.compile(r"^(MotionPhoto|MicroVideo|Thumbnails$)")
_HINTS = re.compile(
    rb"hdr-gain-map|HDRGainMap|/container/|/depthmap/|photos/1\.0/(image|audio)/|/dd/1\.0/device/"
    rb"|MotionPhoto|MicroVideo|Thumbnails|xmp/note/"
)
_XMLNS = "http://www.w3.org/2000/xmlns/"


def true_afterwards(xmp: bytes) -> bytes:
    """Return a packet without statements on what is left out, and with the upright orientation.

    It is returned byte for byte where it has none, and is empty if it has some and is damaged.
    """
    xmp = re.sub(rb"(tiff:Orientation(?:=[\"']|>))\d", rb"\g<1>1", xmp)
    if not _HINTS.search(xmp):
        return xmp
    from xml.dom import minidom
    from xml.parsers.expat import ExpatError

    if b"<!DOCTYPE" in xmp or b"<!ENTITY" in xmp:
        return b""
    try:
        document = minidom.parseString(xmp.strip(b"\0 \r\n\t"))
    except (ExpatError, ValueError):
        return b""
    root = document.documentElement
    assert root is not None  # or the parser would have raised
    _clean(root)
    return b"".join(node.toxml().encode() for node in document.childNodes)


def xmp_of_size(xmp: bytes, width: int, height: int) -> bytes:
    """Return a packet that states this size where it stated another one."""
    for names, side in (
        (rb"tiff:ImageWidth|exif:PixelXDimension", width),
        (rb"tiff:ImageLength|exif:PixelYDimension", height),
    ):
        xmp = re.sub(rb"((?:" + names + rb")(?:=[\"']|>))\d+", rb"\g<1>%d" % side, xmp)
    return xmp


def _clean(element: Element) -> None:
    for attribute in list(element.attributes.values()):
        declared = attribute.namespaceURI == _XMLNS and attribute.value in _NAMESPACES
        if declared or _is_outdated(attribute.namespaceURI, attribute.localName):
            element.removeAttributeNode(attribute)
    for child in list(element.childNodes):
        if child.nodeType != child.ELEMENT_NODE:
            continue
        if _is_outdated(child.namespaceURI, child.localName):
            element.removeChild(child)
            child.unlink()
        else:
            _clean(child)


def _is_outdated(namespace: str | None, name: str | None) -> bool:
    return namespace in _NAMESPACES or bool(name and _NAMES.match(name))
