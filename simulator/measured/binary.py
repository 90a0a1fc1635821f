"""Files that hold no UTF-8 text, told apart by their first bytes, so that a refusal says what to do."""

from __future__ import annotations

import codecs
from typing import Final

STARTS: Final = {
    b"\x1f\x8b": "is compressed by gzip; unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it first",
    b"PK\x03\x04": "is a ZIP archive or a spreadsheet (xlsx); unpack it, or save the sheet as CSV",
    b"PAR1": "is a Parquet file; write its table as CSV",
    codecs.BOM_UTF16_LE: "is UTF-16 text; save it as UTF-8",
    codecs.BOM_UTF16_BE: "is UTF-16 text; save it as UTF-8",
}
"""First bytes of formats, as their specifications give them (RFC 1952, RFC 8878, PKWARE APPNOTE 4.3.7, Apache
Parquet's file format, Unicode's byte order marks)."""


def text_in(content: bytes, expected: str) -> str:
    """Return the UTF-8 text in the bytes of a file.

    Parameters
    ----------
    content : the bytes; a byte order mark is dropped.
    expected : what the file should be, as the message says it.

    Raises
    ------
    ValueError
        If they are no text: what they look like, and what to do.

    Examples
    --------
    >>> text_in(b"a,b", "A table is a CSV")
    'a,b'
    """
    known = next((told for start, told in STARTS.items() if content.startswith(start)), None)
    if known:
        raise ValueError(known)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at, kind = error.start, "UTF-8 text"
    else:
        at, kind = content.find(b"\x00"), "text"
        if at < 0:
            return text
    message = f"is no {kind} (byte {at} is {content[at]:#04x}): is it the right file? {expected}"
    raise ValueError(message)
