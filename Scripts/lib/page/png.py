"""Makes a browser's PNG smaller: 256 colours, of which text and curves need no more, packed as well as zlib can."""

import struct
import zlib

MARK = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}


def chunks(data):
    """Yields the name and the content of each part of a PNG."""
    place = len(MARK)
    while place < len(data):
        (size,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        place += size + 12


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def rows(data, width, height, channels):
    """Yields the rows of an image of eight bits, with the filters undone."""
    size = width * channels
    before = bytearray(size)
    for start in range(0, height * (size + 1), size + 1):
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + size])
        if kind == 1:
            for i in range(channels, size):
                row[i] = (row[i] + row[i - channels]) & 255
        elif kind == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, before, strict=True))
        elif kind == 3:
            for i in range(size):
                left = row[i - channels] if i >= channels else 0
                row[i] = (row[i] + (left + before[i]) // 2) & 255
        elif kind == 4:
            for i in range(size):
                left, corner = (row[i - channels], before[i - channels]) if i >= channels else (0, 0)
                up = before[i]
                a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
                row[i] = (row[i] + (left if a <= b and a <= c else up if b <= c else corner)) & 255
        yield row
        before = row


def palette(colors):
    """Returns the 256 most frequent of some counted colours, and for each colour the index of the nearest of these."""
    kept = sorted(colors, key=colors.get, reverse=True)[:256]
    near = {color: index for index, color in enumerate(kept)}
    for r, g, b in colors.keys() - near.keys():
        away = [(r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2 for x, y, z in kept]
        near[r, g, b] = away.index(min(away))
    return kept, near


def smaller(data):
    """Returns an image of at most 256 colours, or the one that was given, if that is smaller or of another kind."""
    parts = list(chunks(data))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    if depth != 8 or kind not in CHANNELS or interlaced:
        return data
    channels = CHANNELS[kind]
    packed = zlib.decompress(b"".join(content for name, content in parts if name == b"IDAT"))
    image, colors = [], {}
    for row in rows(packed, width, height, channels):
        pixels = list(zip(*(row[i::channels] for i in range(3)), strict=True))
        image.append(pixels)
        for color in pixels:
            colors[color] = colors.get(color, 0) + 1
    kept, near = palette(colors)
    lines = b"".join(b"\0" + bytes(map(near.__getitem__, pixels)) for pixels in image)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    small = chunk(b"IHDR", header) + chunk(b"PLTE", b"".join(map(bytes, kept)))
    small = MARK + small + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return min(small, data, key=len)
