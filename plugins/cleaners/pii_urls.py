"""Secrets inside URLs for `pii`: the secret goes, the rest of the URL stays.

    user and password    scheme://USER:PASSWORD@host; the user alone where it is a random token
    query, fragment      the value of a parameter whose name says so (`NAMES`): 6 characters or more with a digit or of mixed case; of a
                         name that may be harmless (`key`, `sig`, `code`, …), a random one of 16
    path                 what chat services put behind their webhook addresses; a random segment of 16 behind one such as "reset" or "token"

Left: placeholders such as "user:password@" and "guest:guest@", "${TOKEN}", "YOUR_KEY".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from plugins.cleaners.pii_keys import is_dummy, is_random

Span = tuple[int, int]

_USER = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{1,20}://([^\s/@:?#\"'<>\[\]]{0,128}(?::([^\s/@\"'<>\[\]]{1,256}))?)@(?=[\w\[])"
)
_COMMON = frozenset([
    "password",
    "pass",
    "passwd",
    "pwd",
    "secret",
    "user",
    "username",
    "pw",
    "xxx",
    "token",
    "mypassword",
    "my-password",
    "mypass",
    "passw0rd",
])

NAMES = (
    r"access[_-]?token|auth[_-]?token|refresh[_-]?token|id[_-]?token|private[_-]?token|reset[_-]?token|session[_-]?token|csrf[_-]?token|oauth[_-]?token|bot[_-]?token|user[_-]?token|token"
    r"|api[_-]?key|apikey|api[_-]?token|access[_-]?key|subscription[_-]?key|client[_-]?secret|app[_-]?secret|secret[_-]?key|secret|password|passwd|passwort|pwd|pass|passphrase|jwt|bearer"
    r"|session[_-]?id|sessionid|phpsessid|jsessionid|sid|x-amz-signature|x-amz-security-token|x-goog-signature|signature"
)
_MAYBE = r"key|sig|code|auth|authkey|auth_key|k|t|s|hash|hmac|session|ticket|invite|credential|x-amz-credential|awsaccesskeyid|googleaccessid|appid|app_id|otp|nonce|uuid|h|sign|login|confirm|verify|unsubscribe"
_QUERY = re.compile(
    r"(?<=[?&;#])(?:(" + NAMES + r")|(" + _MAYBE + r"))=([^\s&#;\"'<>()\[\]{}|\\]{6,2048})", re.IGNORECASE
)
_PATH = re.compile(
    r"hooks\.slack\.com/(?:services|workflows)/(T\w{4,16}/[A-Z]\w{4,16}/\w{8,64})"
    r"|/webhooks/\d{10,22}/([\w-]{30,100})"
    r"|/(?:token|secret|key|apikey|auth|reset|reset-password|password-reset|invite|verify|confirm|confirmation|private|magic|activate|unsubscribe|session|hook|hooks|webhook|webhookb2|feed|s)[/-]([A-Za-z0-9_-]{16,256})"
)  # fmt: skip


def url_secrets(text: str) -> Iterator[Span]:
    """The secret parts of URLs."""
    if "://" not in text:
        return
    for match in _USER.finditer(text):
        password = match[2]
        if password is None:
            if is_random(match[1], 20):
                yield match.span(1)
        elif (
            password.lower() not in _COMMON
            and not match[1].startswith(password + ":")
            and not is_dummy_secret(password)
        ):
            yield match.span(1)
    if "=" in text:
        for match in _QUERY.finditer(text):
            value = match[3].rstrip(".,!?:")
            if _is_secret(value, sure=match[1] is not None):
                yield match.start(3), match.start(3) + len(value)
    for match in _PATH.finditer(text):
        group = match.lastindex or 0
        if group < 3 or is_random(match[group], 16):
            yield match.span(group)


def _is_secret(value: str, *, sure: bool) -> bool:
    if not sure:
        return is_random(value, 16)
    mixed = any(map(str.isdigit, value)) or (value != value.lower() and value != value.upper())
    return mixed and not is_dummy_secret(value)


def is_dummy_secret(value: str) -> bool:
    """Whether a value stands for one that a reader should put there; a short one may repeat itself."""
    return is_dummy(value + "abcde")
