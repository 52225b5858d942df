"""Keys, tokens and private key blocks for `pii`.

Keys of well-known makers are known by their first letters and length. Others are known by what stands before: "Bearer", or a name such as `api_key`, `token`, `secret`
or `password` with ":", "=", "=>" or "is" between. What follows must be random:

    key, token, secret   16 characters or more, and either hexadecimal, or of three of lower case, upper case, digits and symbols, or with 4 digits among letters;
                         at least 3 bits of Shannon entropy a character, so that 16 characters hold 48
    password             8 characters or more, of three of those classes

A text of 32 to 128 letters and digits in one piece, with lower case, upper case and at least 3 digits, and 4 bits a character, is one where a word such as "key" or "token"
stands within 48 characters before: that is how a column of a table looks. 32 to 64 hexadecimal digits in one piece, letters among them, are one where such a word, "bearer", "revoked" or
"leaked" stands within 48 characters before or heads their column, and no word such as "commit", "sha", "md5", "checksum" or "fingerprint" stands within 48 before or 32 behind: for
a commit looks the same. 40 in capitals are left: so OpenPGP writes whose key it is. Placeholders ("YOUR_API_KEY", "<token>", "xxxx", Amazon's "…EXAMPLE") are left.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from plugins.cleaners.pii_columns import heading

Span = tuple[int, int]

_START, _STOP = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"

MAKERS: dict[str, tuple[str, ...]] = {
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])": ("AKIA", "ASIA", "ABIA", "ACCA"),
    r"gh[pousr]_[A-Za-z0-9]{30,255}": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    r"github_pat_[A-Za-z0-9_]{22,255}": ("github_pat_",),
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w.-]{20,64}": ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-"),
    r"xox[abeoprs]-[\w.-]{10,255}": ("xox",),
    r"xapp-\d-[\w-]{10,255}": ("xapp-",),
    r"AIza[\w-]{35}(?![\w-])": ("AIza",),
    r"GOCSPX-[\w-]{20,40}": ("GOCSPX-",),
    r"ya29\.[\w-]{20,512}": ("ya29.",),
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,247}": ("sk_live_", "rk_live_", "sk_test_", "rk_test_"),
    r"whsec_[A-Za-z0-9+/=]{20,128}": ("whsec_",),
    r"hf_[A-Za-z]{30,40}|hf_[A-Za-z0-9]{30,40}": ("hf_",),
    r"npm_[A-Za-z0-9]{36}": ("npm_",),
    r"pypi-[\w-]{50,512}": ("pypi-",),
    r"SG\.[\w-]{16,64}\.[\w-]{16,64}": ("SG.",),
    r"dop_v1_[0-9a-f]{64}": ("dop_v1_",),
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}": ("shpat_", "shpca_", "shppa_", "shpss_"),
    r"sq0(?:csp|atp|idp)-[\w-]{20,64}": ("sq0",),
    r"eyJ[\w-]{8,2000}\.eyJ[\w-]{8,6000}\.[\w-]{8,1000}": ("eyJ",),
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}": ("AGE-SECRET-KEY-1",),
    r"(?:(?<=bot)|(?<![A-Za-z0-9_]))\d{8,10}:AA[\w-]{32,34}": (":AA",),
}  # fmt: skip
"""Regular expression → what must be somewhere in the text before it is tried."""

_MAKERS = tuple(
    (re.compile(pattern if pattern.startswith(("(?<", "(?:(?<")) else f"{_START}(?:{pattern})"), gates)
    for pattern, gates in MAKERS.items()
)
_RANDOM_MAKERS = (
    (re.compile(_START + r"sk-[\w-]{20,255}"), "sk-"),
    (re.compile(_START + r"key-[0-9a-f]{32}" + _STOP), "key-"),
    (re.compile(_START + r"SK[0-9a-f]{32}" + _STOP), "SK"),
    (re.compile(r"(?<![\w-])[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-])"), "."),
)

_NAME = r"(?:api[ _-]?keys?|apikeys?|secrets?|tokens?|access[ _-]?keys?|auth[ _-]?keys?|auth(?:orization)?[ _-]?code|account[ _-]?keys?|shared[ _-]?keys?|credentials?|license[ _-]?keys?|encryption[ _-]?keys?|signing[ _-]?keys?|(?:session|auth)[ _-]?(?:id|cookie)|secret[ _-]?key|master[ _-]?key|consumer[ _-]?key|client[ _-]?key|app[ _-]?key|key)"
_VALUE = r"([A-Za-z0-9_\-+/=.~!@#%^&*|]{8,512})"
_BETWEEN = r"[\"'`\])]{0,2}(?:\s{0,3}(?:=>|:=|==?|:)\s{0,3}|\s(?:is|was|ist|est|lautet)(?: now)?:?\s|,\s?|\s)[\"'`]{0,3}"
_ASSIGNED = re.compile(_NAME + r"[A-Za-z0-9_]{0,16}" + _BETWEEN + _VALUE, re.IGNORECASE)
_PASSWORD = re.compile(
    r"(?:password|passwd|passphrase|pwd|passwort|kennwort|mot de passe)(?<!no)[\"'`\])]{0,2}(?:\s{0,3}(?:=>|:=|=|:)\s{0,3}|\s(?:is|was|ist)\s)([\"'`]{0,3})"
    r"([^\s\"'`,;<>(){}\[\]]{8,128})",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"(?:\bbearer|\bauthorization[\"']?\s?[:=]\s?[\"']?(?:basic|token|aws|apikey|digest))\s{1,3}([A-Za-z0-9_\-+/=.~:]{16,4096})",
    re.IGNORECASE,
)
_WORD = re.compile(
    r"key|token|secret|api|credential|passw|auth(?!or(?!iz|is))|bearer|schlüssel|cookie|session|revoked|leaked",
    re.IGNORECASE,
)
_HEX = re.compile(
    r"(?<![\w+/=.:#@-])(?:[0-9a-f]{32,64}|(?![0-9A-F]{40}(?![0-9A-F]))[0-9A-F]{32,64})(?![\w+/=-]|\.\w)"
)
_HEX_WORD = re.compile(
    r"(?<![a-z])(?:(?:api|access|auth|secret|private|app|client|account|license|licence|shared|signing|encryption|session|master|my|our|the|old|new)[ _-]?)?keys?(?![a-z])"
    r"|token|secret|apikey|credential|passw|\bauth(?!or(?!iz|is))|bearer|schlüssel|cookie|session|revoked|leaked",
    re.IGNORECASE,
)
_HASH_WORD = re.compile(
    r"\bgit\b|commit|sha-?\d|\bsha|\bmd5|md5sum|hash|digest|checksum|prüfsumme|etag|fingerprint|integrity|\brev(?:ision)?\b|bisect|revert|merge|blob|\btree\b|parent|uuid|guid"
    r"|\b(?:cache|primary|foreign|public|signing|rsa|dsa|gpg|pgp|host|sort|partition)[ _-]?key|signature|signed|\bimage|layer|torrent|magnet|fixed (?:in|by)",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?<![\w+/=.-])[A-Za-z0-9_-]{32,128}(?![\w+/=-])")
_FINGERPRINT = re.compile(r"\Akeys?[ :]{1,3}(?:0x)?[0-9A-Fa-f]{16,40}\Z", re.IGNORECASE)
"""As gpg tells which key signed: public."""
_LONG = re.compile(r"[A-Za-z0-9_\-+/=.~!@#%^&*|]{16,512}")
_DIGIT = re.compile("[0-9]")
_LEAD = 64
_PLAIN = re.compile(r"[a-z0-9_~-]*|[A-Z]?[a-z_-]+\d{0,2}|[A-Z_]+")
_DUMMY = re.compile(
    r"your|example|xxxx|\*\*\*|\.\.\.|change_?me|dummy|sample|placeholder|insert|replace|here\b|<|\{|\$|1234567890|0123456789|abcdefgh",
    re.IGNORECASE,
)


def keys(text: str) -> Iterator[Span]:
    """Every key and token."""
    for pattern, gates in _MAKERS:
        if any(gate in text for gate in gates):
            yield from (m.span() for m in pattern.finditer(text) if not is_dummy(m[0]))
    for pattern, gate in _RANDOM_MAKERS:
        if gate in text:
            yield from (m.span() for m in pattern.finditer(text) if is_random(m[0], 20))
    if _WORD.search(text):
        yield from _told(text)


def _told(text: str) -> Iterator[Span]:
    """What is a key by what stands before it."""
    for run in _LONG.finditer(
        text
    ):  # names are slow to look for, so only before what is long and holds a digit
        if not _DIGIT.search(run[0]):
            continue
        for match in _ASSIGNED.finditer(text, max(0, run.start() - _LEAD), run.end()):
            value = match[1].rstrip(".,=!|&*")
            if is_random(value, 16) and not _FINGERPRINT.search(match[0]):
                yield match.start(1), match.start(1) + len(value)
    for match in _BEARER.finditer(text):
        value = match[1].rstrip(".")
        if is_random(value, 16):
            yield match.start(1), match.start(1) + len(value)
    for match in _PASSWORD.finditer(text):
        if is_password(match[2].rstrip(".!?")):
            yield match.start(2), match.start(2) + len(match[2].rstrip(".!?"))
    for match in _BARE.finditer(text):
        if _WORD.search(text, max(0, match.start() - 48), match.start()) and _is_bare(match[0]):
            yield match.span()
    yield from (match.span() for match in _HEX.finditer(text) if _is_hex_secret(text, *match.span()))


def _is_hex_secret(text: str, start: int, end: int) -> bool:
    """Whether hexadecimal digits are a secret, and no hash, by the words around them on their line and over their column."""
    lead = text[max(0, start - 48) : start]
    tail = text[end : end + 32].partition("\n")[0]
    above = heading(text, start)
    before = above or lead[lead.rfind("\n") + 1 :]
    if not _HEX_WORD.search(before) or _HASH_WORD.search(before) or _HASH_WORD.search(tail):
        return False
    return is_random(text[start:end], 32)


def is_dummy(value: str) -> bool:
    """Whether a value stands for one that a reader should put there."""
    return bool(_DUMMY.search(value)) or len(set(value)) < 5


def entropy(value: str) -> float:
    """Shannon entropy, bits a character.

    >>> entropy("aabb"), entropy("abcd")
    (1.0, 2.0)
    """
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)


def is_random(value: str, least: int) -> bool:
    """Whether a value of `least` characters or more looks drawn by lot, as the page above says."""
    if len(value) < least or is_dummy(value) or entropy(value) < 3.0:
        return False
    digits = sum(map(str.isdigit, value))
    if not digits or not any(map(str.isalpha, value)):
        return False
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", value):
        return True
    if re.search(r"[/.]", value) and all(map(_PLAIN.fullmatch, re.split(r"[/.]", value))):
        return False  # a path, or names joined by dots
    lower, upper = value != value.upper(), value != value.lower()
    words = re.fullmatch(r"[A-Z]?[a-z]*+(?:[_.-]?[A-Z]?[a-z]++\d{0,2})*+", value)
    return words is None and ((lower and upper and digits >= 2) or digits >= 4)


def is_password(value: str) -> bool:
    """Whether a value of 8 characters or more has three classes of characters."""
    classes = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    held = sum(any(map(of, value)) for of in classes)
    return (
        len(value) >= 8
        and held >= 3
        and any(map(str.isdigit, value))
        and not is_dummy(value)
        and not re.search(r"[.:/]{2}|\w\.\w+\.|->", value)
    )


def _is_bare(value: str) -> bool:
    digits = sum(map(str.isdigit, value))
    cased = value != value.lower() and value != value.upper()
    return cased and digits >= 3 and entropy(value) >= 4.0 and not is_dummy(value) and value.count("-") < 4


_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_LINES = re.compile(
    r"(?:(?:\s|\\n|\\r|[>\"'+|]){0,32}(?:[A-Za-z-]{4,16}: [^\n]{0,80}|[A-Za-z0-9+/=]{16,80})){0,400}"
)
_BODY = 40
_LONGEST = 20_000


def private_keys(text: str) -> Iterator[Span]:
    """Every private key block, from its first line to its last; one without a last line ends where its base64 does."""
    done = 0
    while (begin := _BEGIN.search(text, done)) is not None:
        done = begin.end()
        other = text.find("-----BEGIN", done)
        stop = min(len(text), done + _LONGEST, other if other >= 0 else len(text))
        end = _END.search(text, done, stop)
        last = end.end() if end else _lines_end(text, done, stop)
        body = re.sub(r"\\[nr]", "", text[done : end.start() if end else last])
        if len(re.findall(r"[A-Za-z0-9+/]", body)) >= _BODY and "..." not in body[:200]:
            yield begin.start(), last
            done = last


def _lines_end(text: str, start: int, stop: int) -> int:
    match = _LINES.match(text, start, stop)
    return match.end() if match else start
