"""Ed25519 signatures (RFC 8032) of the margins, without a library for keys.

Every version of the margins has a key of its own, made by `sign_once` and never written: nobody, we included, can sign
another table with it. A page that names the public key was made with the margins that this key signed.
"""

from __future__ import annotations

import hashlib
import os

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_Point = tuple[int, int, int, int]


def _add(a: _Point, b: _Point) -> _Point:
    p, q = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    r, s = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(n: int, a: _Point) -> _Point:
    out: _Point = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = _add(out, a)
        a, n = _add(a, a), n >> 1
    return out


def _point(data: bytes) -> _Point | None:
    number = int.from_bytes(data, "little")
    y, odd = number & ((1 << 255) - 1), number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE: _Point = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little")) or (0, 1, 1, 0)


def verified(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of the key to `public` (32 bytes) signed `message` with `signature` (64 bytes)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= _ORDER:
        return False
    h = _number(signature[:32] + public + message)
    left, right = _times(s, _BASE), _add(r, _times(h, key))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 == (left[1] * right[2] - right[1] * left[2]) % _P


def sign_once(message: bytes) -> tuple[bytes, bytes]:
    """(public key, signature) by a secret key that is forgotten with the return."""
    secret = hashlib.sha512(os.urandom(32)).digest()
    key = int.from_bytes(secret[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    public, once = _bytes(_times(key, _BASE)), _number(secret[32:] + message)
    point = _bytes(_times(once, _BASE))
    return public, point + ((once + _number(point + public + message) * key) % _ORDER).to_bytes(32, "little")


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % _ORDER


def _bytes(a: _Point) -> bytes:
    x, y = (v * pow(a[2], _P - 2, _P) % _P for v in a[:2])
    return (y | (x & 1) << 255).to_bytes(32, "little")
