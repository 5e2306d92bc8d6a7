"""The ZIP format's numbers: methods, flags, records and what they are recognised by.

Field names and offsets follow PKWARE's APPNOTE.TXT 6.3.10, whose section numbers the comments give.
"""

from __future__ import annotations

import struct


STORED = 0
DEFLATED = 8
BZIP2 = 12
LZMA = 14
ZSTANDARD = 93
METHODS = frozenset({STORED, DEFLATED, BZIP2, LZMA, ZSTANDARD})

ENCRYPTED = 0x1 | 0x40 | 0x2000
"""General purpose bits of traditional, strong and central directory encryption (4.4.4)."""
LZMA_END_MARKER = 0x2
DATA_DESCRIPTOR = 0x8
PATCH = 0x20
"""The data is a difference to other data (4.4.4)."""
UTF8_NAME = 0x800

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
END_RECORD = struct.Struct("<4s4H2LH")
ZIP64_LOCATOR = struct.Struct("<4sLQL")
ZIP64_END_RECORD = struct.Struct("<4sQ2H2L4Q")
LOCAL_SIGNATURE = b"PK\3\4"
CENTRAL_SIGNATURE = b"PK\1\2"
END_SIGNATURE = b"PK\5\6"
DESCRIPTOR_SIGNATURE = b"PK\7\10"
ZIP64_LOCATOR_SIGNATURE = b"PK\6\7"
ZIP64_END_SIGNATURE = b"PK\6\6"

ZIP64_EXTRA = 0x0001
UNICODE_PATH_EXTRA = 0x7075
"""Info-ZIP's second name (APPNOTE 4.6.9): version, CRC-32 of the first name, then UTF-8."""
MAX_COMMENT = 0xFFFF
MAX_DESCRIPTOR = 24
"""Bytes of a data descriptor with its signature and ZIP64 sizes (4.3.9)."""
SENTINEL_16 = 0xFFFF
SENTINEL_32 = 0xFFFFFFFF
SENTINELS = (*[SENTINEL_16] * 4, *[SENTINEL_32] * 2)
"""Values of the end record's fields that leave them to the ZIP64 end record (4.4.1.4)."""
