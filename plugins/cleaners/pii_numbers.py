"""Payment cards and bank accounts for `pii`.

A card has a brand's first digits (ISO/IEC 7812) and length, a right Luhn digit, and is written in one piece, in fours, or as its brand prints
it (4-6-5, 4-6-4), one separator throughout. One in one piece is left alone inside a URL, behind "#", and behind a word such as "ISBN" or "id"; a Maestro
or UnionPay card of other than 16 digits, and a card of 13 (as long as an EAN), needs groups, a word such as "card" before or over its column, or a date such as "02/28" behind.

An IBAN has its country's length (ISO 13616 registry) and mod 97 = 1; blanks or hyphens may stand between its characters. It is in one case and has 7 digits or more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from plugins.cleaners.pii_columns import heading

Span = tuple[int, int]

_CARD = re.compile(r"(?<![\w.#$€£-])(?<![0-9][ \xa0])[2-6][0-9]{3}(?:[ \xa0-]?[0-9]){8,15}(?!\w|[.-][0-9])")
_GROUPS = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (4, 5, 6)})
_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}"
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|220[0-4]\d{12}|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"
)
_CARD_WORD = re.compile(
    r"card|karte|carte|visa|master|amex|maestro|credit|kredit|debit|\bpan\b", re.IGNORECASE
)
_EXPIRY = re.compile(
    r"[ ,;|]{1,3}(?:exp\w*\.?:? ?)?(?:0[1-9]|1[0-2]) ?[/-] ?(?:20)?[2-4]\d\b|[ ,;|]{1,3}cv[vc]2?\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"(?:isbn\S*|issn|ean|upc|gtin|imei|\bids?|uid|doi|pmid|serial|ticket|tracking|timestamp|phone|tel|order|invoice|=)[\s:.#\"'=]*\Z",
    re.IGNORECASE,
)

_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28,
    "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18,
    "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2}|[a-z]{2})[ \xa0-]?[0-9]{2}(?=[ \xa0-]?[A-Za-z0-9])")
_REST = {
    length: re.compile(rf"(?:[ \xa0-]?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])")
    for length in sorted(set(_LENGTHS.values()))
}
_TO_DIGITS = {
    ord(letter): str(number) for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", start=10)
}


def cards(text: str) -> Iterator[Span]:
    """Every payment card number."""
    done = 0
    while (match := _CARD.search(text, done)) is not None:
        groups = [found.span() for found in re.finditer("[0-9]+", match[0])]
        end = _card_end(text, match.start(), groups)
        done = match.start() + (end or groups[0][1])
        if end:
            yield match.start(), done


def _card_end(text: str, start: int, groups: list[Span]) -> int:
    """Where a card that begins with the first of these groups of digits ends, from `start`; 0 where none does."""
    lengths = tuple(end - begin for begin, end in groups)
    for n in range(len(groups), 0, -1):
        end = groups[n - 1][1]
        if n > 1 and lengths[:n] not in _GROUPS:
            continue
        digits, separators = re.subn("[ \xa0-]", "", text[start : start + end])
        if not _BRANDS.fullmatch(digits) or not luhn(digits) or separators != n - 1:
            continue
        if len(set(re.findall("[ \xa0-]", text[start : start + end]))) > 1:
            continue
        maestro = digits.startswith(("50", "58", "6"))
        if n > 1 or _stands_alone(text, start, len(digits), maestro=maestro):
            return end
    return 0


def _stands_alone(text: str, start: int, length: int, *, maestro: bool) -> bool:
    """Whether digits in one piece may be a card, by what stands before them."""
    lead = text[max(0, start - 40) : start]
    lead = lead[lead.rfind("\n") + 1 :]
    if (
        _CARD_WORD.search(lead)
        or _EXPIRY.match(text, start + length)
        or _CARD_WORD.search(heading(text, start))
    ):
        return True
    word = re.split(r"\s", lead)[-1]
    if "/" in word or "-" in word[-1:] or (_OTHER.search(lead) and not re.search(r"number=\Z", lead)):
        return False
    return length in ({16} if maestro else {14, 15, 16, 19})


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (
        sum(map(int, digits[-1::-2])) + sum(number - 9 if number > 9 else number for number in doubled)
    ) % 10 == 0


def ibans(text: str) -> Iterator[Span]:
    """Every IBAN."""
    for match in _IBAN.finditer(text):
        length = _LENGTHS.get(match[1].upper())
        rest = _REST[length].match(text, match.end()) if length else None
        if rest is None:
            continue
        value = re.sub("[ \xa0-]", "", text[match.start() : rest.end()]).upper()
        letters = re.sub(r"[^A-Za-z]", "", text[match.start() : rest.end()])
        if not (letters.isupper() or letters.islower()) or sum(map(str.isdigit, value)) < 7:
            continue
        if int((value[4:] + value[:4]).translate(_TO_DIGITS)) % 97 == 1:
            yield match.start(), rest.end()
