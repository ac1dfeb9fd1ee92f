"""Are codes minted fast enough for a plan, does a guess pass, and how long does one order's life take to tell?"""

from __future__ import annotations

import base64
import hmac
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import o2o_mining
from o2o_mining.tracking import CodeError, Keys, mint_many, read
from o2o_mining.tracking.alphabet import ALPHABET, LENGTH, weighted_sum, written

SENDS = 500_000
GUESSES = 200_000
ROUNDS = 3
DAY = date(2026, 5, 31)
KEYS = Keys((bytes(range(32)),))


def measure_codes() -> Iterator[str]:
    """Codes of half a million sends, beside a plain loop over `hmac.digest`; and guesses with a right check symbol."""
    ids = [f"spring-2026:c{one}" for one in range(SENDS)]
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        codes = mint_many(ids, valid_until=DAY, keys=KEYS)
        middle = time.perf_counter()
        _plain(ids)
        rounds.append((middle - begin, time.perf_counter() - middle))
    ours, plain = (statistics.median(one[side] for one in rounds) for side in (0, 1))
    ratio = statistics.median(one[1] / one[0] for one in rounds)
    yield f"{SENDS:,} codes, {len(set(codes)):,} different: {ours:.2f} s; plain {plain:.2f} s, {ratio:.2f} times ours"
    begin = time.perf_counter()
    for code in codes[:20_000]:
        read(code, keys=KEYS, on=DAY)
    yield f"read: {(time.perf_counter() - begin) / 20_000 * 1e6:.0f} µs a code"
    yield f"of {GUESSES:,} guesses with our mark and a right check symbol {sum(map(_passes, _guesses(codes[0])))} pass"


def _plain(ids: list[str]) -> list[str]:
    """Sign an id and what is made of it, as a script would: the same two digests, no day and no check symbol."""
    key = KEYS.secrets[0]
    serials = (hmac.digest(key, b"send\0" + one.encode(), "sha256")[:5] for one in ids)
    return [base64.b32encode(one + hmac.digest(key, b"code\0" + one, "sha256")[:5]).decode() for one in serials]


def _guesses(code: str) -> list[str]:
    symbols = np.random.default_rng(0).integers(0, len(ALPHABET), (GUESSES, LENGTH - 1), dtype=np.uint8)
    symbols[:, :2] = [ALPHABET.index(char) for char in code[:2]]
    return [one.decode() for one in written(np.hstack([symbols, weighted_sum(symbols)[:, None]]))]


def _passes(guess: str) -> bool:
    try:
        read(guess, keys=KEYS, on=date(2020, 1, 1))
    except CodeError:
        return False
    return True


def measure_trace() -> Iterator[str]:
    """Run the command `o2o trace` on Complete Journey, beside `o2o --help`: each a process."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        _o2o("run", "--source", "complete-journey", "--home", str(home))
        coupons = o2o_mining.load("coupon_redemptions", home=home)
        visits = coupons["redemption_id"].dropna().unique()[:: len(coupons) // ROUNDS][:ROUNDS]
        rounds = [(_o2o("trace", visit, "--home", str(home)), _o2o("--help")) for visit in visits]
        whole, start = (statistics.median(one[side] for one in rounds) for side in (0, 1))
        yield f"o2o trace: {whole:.2f} s, of it {start:.2f} s to start the command"


def _o2o(*words: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "o2o_mining.cli", *words], check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - begin
