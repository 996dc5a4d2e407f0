"""A note inside a picture file, in a place of its format that viewers pass over."""

from __future__ import annotations

import struct
import zlib

_KEYWORD = b"mangapaint"
_UUID = b"mangapaint-note\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER_END = 8 + 25  # PNG: signature, then the IHDR chunk
_JPEG_CHUNK = 60_000


def embed(data: bytes, note: bytes) -> bytes:
    """The picture with the note inside: PNG text, JPEG comment, WebP chunk, AVIF box; other formats as they are."""
    if data.startswith(_PNG):
        body = b"iTXt" + _KEYWORD + b"\0\0\0\0\0" + note
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:_HEADER_END] + chunk + data[_HEADER_END:]
    if data.startswith(b"\xff\xd8"):
        parts = [note[at : at + _JPEG_CHUNK] for at in range(0, len(note), _JPEG_CHUNK)]
        segments = [
            b"\xff\xfe" + struct.pack(">H", 2 + len(_KEYWORD) + 1 + len(p)) + _KEYWORD + b"\0" + p for p in parts
        ]
        return _after_app0(data, b"".join(segments))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        chunk = b"MGPT" + struct.pack("<I", len(note)) + note + b"\0" * (len(note) % 2)
        return data[:4] + struct.pack("<I", len(data) - 8 + len(chunk)) + data[8:] + chunk
    if data[4:8] == b"ftyp":
        return data + struct.pack(">I", 8 + len(_UUID) + len(note)) + b"uuid" + _UUID + note
    return data


def extract(data: bytes) -> bytes | None:
    """The note of a picture, or None."""
    if data.startswith(_PNG):
        start = data.find(b"iTXt" + _KEYWORD + b"\0\0\0\0\0", 0, _HEADER_END + 64)
        if start < 4:
            return None
        (length,) = struct.unpack(">I", data[start - 4 : start])
        return data[start + 4 + len(_KEYWORD) + 5 : start + 4 + length]
    if data.startswith(b"\xff\xd8"):
        return _jpeg_note(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_note(data)
    if data[4:8] == b"ftyp":
        start = data.rfind(b"uuid" + _UUID)
        return None if start < 0 else data[start + 4 + len(_UUID) :]
    return None


def _after_app0(data: bytes, segments: bytes) -> bytes:
    """JFIF wants its own segment first."""
    at = 4 + struct.unpack(">H", data[4:6])[0] if data[2:4] == b"\xff\xe0" else 2
    return data[:at] + segments + data[at:]


def _jpeg_note(data: bytes) -> bytes | None:
    note, at = b"", 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + length]
        if data[at + 1] == 0xFE and body.startswith(_KEYWORD + b"\0"):
            note += body[len(_KEYWORD) + 1 :]
        at += 2 + length
    return note or None


def _webp_note(data: bytes) -> bytes | None:
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack("<I", data[at + 4 : at + 8])
        if data[at : at + 4] == b"MGPT":
            return data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return None
