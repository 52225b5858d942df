"""Telephone numbers for `pii`.

A scan proposes runs of 7 to 15 digits with single separators; libphonenumber says whether one is a number that may be given out. With "+" or a "00" that is
enough. A national number, of the recipe's `regions`, must also look like one:
within 40 characters behind a word for telephone or calling on its line (`CUE`), under a line or in a column of a table that such a word heads, right before one
("… (mobile)"), or grouped as libphonenumber writes the numbers of that country ("617-555-0138", "06 55 44 33 22"), or with a
trunk prefix 0 and an area code apart ("0171 3920021", "(0114) 496 0217", and with an extension "089/1234567-89", DIN 5008). A mobile number also goes at the
end of a line that reads as a small ad ("Lost: …", "for rent", `_AD`). Bare digits with none of these are left. Left alone too: what stands behind a word such as "ISBN", "ticket" or "order no.",
behind "#" or a currency sign, in a URL, inside a longer chain of numbers, dates, decimals, and postal codes ("MA 02110-1301").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from plugins.cleaners.pii_columns import heading

Span = tuple[int, int]

_SEPARATOR = r"(?:[ \xa0.\-/‐‑–]|\) ?|[ ./-]\(| [-–/] |\)-|-\(0\)|\(0\) ?| \(0\) ?)"
_RUN = re.compile(r"(?<![\w#$€£¥+])(?<!\d[.:/-])(?:\(?\+|\()?[0-9](?:" + _SEPARATOR + r"?[0-9]){6,22}")
_AFTER = re.compile(r"\w|[.,:/=-]\d|[%°€£$]| ?(?:%|€|kg|km|MB|GB|mm|cm)\b|\s?[)-]?\s?\(?\d")
CUE = re.compile(
    r"\b(?:tel\w*|tél\w*|phone\w*|t(?=[:.]? ?\Z)|ph(?=[:.]? ?\Z)|p(?=: ?\Z)|call\w*|ring\w*|dial\w*|mobil\w*|mob|cell\w*|fax|whats ?app|sms|text(?:ed)? (?:me|us|him|her|it|to|at)?"
    r"|handy\w*|hotline|helpline|landline|festnetz|ruf\w*|anruf\w*|durchwahl|appel\w*|portable|joindre|gsm|voicemail|pager|contact\w*|reach(?:ed)?|kontakt\w*|switchboard|erreich\w*|meld\w*|joign\w*|rappel\w*|imessage|msg|(?:my|his|her|their|our|your) (?:new |old |home |work )?number"
    r"|\w*phone|\w*fon|\w*nummer|signal|viber)\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"(?:\b(?:isbn|issn|ismn|isni|orcid|ean|upc|gtin|imei|asin|oclc|lccn|doi|pmid|pmc|arxiv|ticket|invoice|order|bestell\w*|rechnung\w*|bug|issue|case|serial|part|model|sku|item|art|patent"
    r"|vat|ust|siret|siren|ein|version|rev|build|account|konto\w*|iban|acct|ref\w*|tracking|id|\w*uid|file|page|pages|pp|line|lines|vol|reg\w*|licen[cs]e|charity|company|policy|coordinates|lat|lon)"
    r"(?:[- ]?1[03])?(?:[\s.:#-]*(?:no|nr|num|number|id|code|numéro)\b)?[\s.:#=\"'-]*|[#№])\Z",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])|(?:0?[1-9]|[12]\d|3[01])[-./](?:0?[1-9]|[12]\d|3[01])[-./](?:19|20)\d\d)(?!\d)"
)
_DECIMAL = re.compile(r"\d+\.\d+")
_ZIP, _STATE = re.compile(r"\d{5}-\d{4}"), re.compile(r"(?:\b[A-Z]{2}|[a-z]{4}),? {1,3}\Z")
"""The postal code of "Boston, MA 02110-1301"."""
_BEHIND = re.compile(
    r"[ ,;]{0,2}[(\[]?(?:mobile?|mob|cell|tel|phone|fax|whats ?app|handy|portable|landline|home|work|office)\b[.)\],;]?",
    re.IGNORECASE,
)
_AD = re.compile(
    r"\b(?:lost|found|missing|reward|for rent|to rent|to let|for sale|selling|wanted|no brokers?|flatmate|roommate"
    r"|zu vermieten|zu verkaufen|entlaufen|zugelaufen|gesucht|suche|biete|perdue?|trouvée?|à louer|à vendre|vends|cherche)\b",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"[ .!)]{0,3}(?:\n|\Z)")
_EXTENDED = re.compile(r"\(?0\d{2,5}\)?(?: ?/ ?| )\d{3,8}[-–]\d{1,5}")
"""Area code, number, extension."""
_WINDOW, _AD_WINDOW = 40, 80


def phones(text: str, regions: tuple[str, ...]) -> Iterator[Span]:
    """Every telephone number."""
    for match in _RUN.finditer(text):
        start, end = match.span()
        if text[start] == "(" and ")" not in match[0]:
            start += 1  # "(020 7946 0321)": that bracket is not the number's
        if _is_in_row(text, start, end):
            if not CUE.search(heading(text, start)):
                continue
            candidates: Iterable[Span] = [(start, end)]
        else:
            candidates = _candidates(text, start, end)
        for first, stop in candidates:
            if _is_phone(text, first, stop, regions):
                yield first, stop
                break


def _is_in_row(text: str, start: int, end: int) -> bool:
    """Whether a comma parts these digits from others before or behind them ("77120,3125550149"): a column, or a number's thousands."""
    before = start >= 2 and text[start - 1] == "," and text[start - 2].isdigit()
    return before or (text[end : end + 1] == "," and text[end + 1 : end + 2].isdigit())


def _candidates(text: str, start: int, end: int) -> Iterator[Span]:
    """The run, and the run without its first group, which may be another number ("from 9 020 7946 0321")."""
    for stop in _stops(text, start, end):
        yield start, stop
    blank = re.compile(r"[0-9]{1,4}[ \xa0]").match(text, start, end)
    if blank and CUE.search(text, max(0, start - _WINDOW), start):
        for stop in _stops(text, blank.end(), end):
            yield blank.end(), stop


def _stops(text: str, start: int, end: int) -> Iterator[int]:
    """Where a number that starts there may end: at the end of the run, or up to two groups before."""
    if not _AFTER.match(text, end) or (text[end] in ".,:-" and not text[end + 1 : end + 2].isdigit()):
        yield end
    cuts = [found.start() for found in re.finditer(r" [-–/] |[ \xa0/]", text[start:end])]
    yield from (start + cut for cut in cuts[:-3:-1])


def _is_phone(text: str, start: int, end: int, regions: tuple[str, ...]) -> bool:
    value = text[start:end]
    digits = re.sub(r"\D", "", value)
    if not 7 <= len(digits) <= 15 or value.count("(") != value.count(")") or len(set(digits)) < 3:
        return False
    lead = text[max(0, start - _WINDOW) : start]
    lead = lead[lead.rfind("\n") + 1 :]
    if _OTHER.search(lead) or "://" in re.split(r"\s", lead)[-1]:
        return False
    if value.lstrip("(").startswith("+"):
        return _is_valid(value, None)
    if _DATE.match(value) or _DECIMAL.fullmatch(value) or (_ZIP.fullmatch(value) and _STATE.search(lead)):
        return False
    if digits.startswith("00"):
        return any(_is_valid("+" + digits[2:].lstrip("0"), None) for _ in regions[:1])
    cued, groups = _is_cued(text, start, end, lead), tuple(re.findall(r"\d+", value))
    if not cued and len(digits) < 9 and digits[0] != "0":
        return False
    return any(
        (
            (cued and _is_dialled(digits, region))
            or _is_written_so(groups, value, region)
            or _is_advertised(text, start, end, region)
        )
        and _is_valid(value, region)
        for region in regions
    )


def _is_cued(text: str, start: int, end: int, lead: str) -> bool:
    """Whether a word says that these digits are a telephone number: before them, behind them, above them."""
    if CUE.search(lead) or _BEHIND.match(text, end):
        return True
    if not lead.strip(" \t>*-"):  # a line of its own, below "Phone:"
        above = text[max(0, start - len(lead) - _WINDOW) : start - len(lead)].rstrip(" \t\n:*")
        label = CUE.search(above[above.rfind("\n") + 1 :])
        if label and label.end() == len(above) - above.rfind("\n") - 1:
            return True
    return bool(CUE.search(heading(text, start)))


def _is_advertised(text: str, start: int, end: int, region: str) -> bool:
    """Whether a mobile number, with its 0 or where none is dialled before it, ends a line of a small ad."""
    if not _LINE_END.match(text, end):
        return False
    lead = text[max(0, start - _AD_WINDOW) : start]
    return bool(_AD.search(lead, lead.rfind("\n") + 1)) and _is_mobile(text[start:end], region)


@lru_cache(maxsize=4096)
def _is_mobile(value: str, region: str) -> bool:
    import phonenumbers

    try:
        kind = phonenumbers.number_type(phonenumbers.parse(value, region))
    except phonenumbers.NumberParseException:
        return False
    return kind == phonenumbers.PhoneNumberType.MOBILE


def _is_dialled(digits: str, region: str) -> bool:
    """Whether one dials these digits at home: where area codes begin with 0, only mobile numbers are told without it."""
    return _prefix(region) != "0" or digits[0] == "0" or _is_mobile(digits, region)


def _is_written_so(groups: tuple[str, ...], value: str, region: str) -> bool:
    """Whether digits are grouped as those of telephone numbers are there."""
    if len(groups) < 2:
        return False
    if _prefix(region) == "0" and _EXTENDED.fullmatch(value):
        return True
    separators = {*re.sub(r"[\d()]", " ", value).split()}
    if len(separators) > 1:
        return False
    if _prefix(region) == "0" and groups[0][0] == "0":
        return (3 <= len(groups[0]) <= 6 and len(groups) <= 4 and min(map(len, groups)) >= 2) or _groups(
            "".join(groups), region
        ) == groups
    if "/" in separators and groups[0][0] != "0":
        return False  # "8250/16550" is two of a kind; where a slash parts the area code, its 0 is written
    if _prefix(region) == "1" and groups[0] == "1":
        return _groups("".join(groups[1:]), region) == groups[1:]
    return _groups("".join(groups), region) == groups


@lru_cache(maxsize=4096)
def _groups(digits: str, region: str) -> tuple[str, ...]:
    """The groups in which libphonenumber writes a national number; none where it is no number."""
    import phonenumbers

    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return ()
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    groups = tuple(re.findall(r"\d+", written))
    if digits[0] != "0" and groups and groups[0][0] == "0":
        groups = (groups[0][1:], *groups[1:])
    return groups


@lru_cache(maxsize=256)
def _prefix(region: str) -> str:
    """What is dialled before an area code at home: "0", "1", or nothing."""
    import phonenumbers

    return phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or ""


@lru_cache(maxsize=4096)
def _is_valid(value: str, region: str | None) -> bool:
    import phonenumbers

    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return False
    if region is None:
        return phonenumbers.is_valid_number(number)
    return phonenumbers.is_valid_number_for_region(number, region)
