"""QR pictures of tracking codes and links."""

from __future__ import annotations

from pathlib import Path

from o2o_mining.core.errors import UsageError

_FORMATS = {".svg", ".png"}
# At least 15 % of a picture may be covered or scratched.
_ERROR_LEVEL = "m"


def save_qr(text: str, path: Path, *, scale: int = 8) -> Path:
    """Write the QR picture of a code or a link; the same text gives the same bytes.

    A code takes the smallest picture that there is, 21 by 21 modules.

    Parameters
    ----------
    text
        What a scanner shall read: a link, or a code as it was minted, so that the till's log holds it as `sends` does.
    path
        Ends with ``.svg`` (for print) or ``.png``; its folder must exist.
    scale
        Pixels of one module.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If the path has another ending, or the text is empty or longer than a QR picture holds.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save_qr("MC296ZZFEKQWZD5Y0TPQ", Path(folder) / "code.svg").read_bytes()[:5]
    b'<?xml'
    """
    import segno  # 0.1 s that only who draws shall wait for

    if path.suffix not in _FORMATS:
        raise UsageError(f"{path} ends neither with .svg nor with .png", next_step="name such a file")
    if not text:
        raise UsageError("there is nothing to draw", next_step="give a code or a link")
    try:
        picture = segno.make(text, error=_ERROR_LEVEL, micro=False)
    except segno.DataOverflowError:
        raise UsageError(
            f"{len(text):,} characters are more than a QR picture holds", next_step="shorten the link"
        ) from None
    picture.save(str(path), scale=scale)
    return path
