"""What on a page of any forum names an author or a time, told by addresses, attributes and the shape of short texts."""

from __future__ import annotations

import re
from typing import Any

MAX_LANDMARK = 60
"""Characters of a name or time at most."""

# Where profiles live: /user/ann, /u/ann, /members/ann.12/, member.php?u=12, memberlist.php?mode=viewprofile, ?action=profile;u=12
PROFILE = re.compile(
    r"(?:^|[/=&;?])(?:u|users?|members?|memberlist|profiles?|userprofile|viewprofile|userinfo|people|authors?|showuser)"
    r"(?:$|[/=&;?.~-])|/[~@][\w.-]+/?$",
    re.IGNORECASE,
)
# Attribute words that engines and hand-made sites give to names and times.
AUTHOR = re.compile(
    r"(?:^|[\s_-])(?:author|user-?name|user-?link|poster|post-?by|posted-?by|by-?line|creator|nick-?name|screen-?name|display-?name|handle)"
    r"(?:$|[\s_-])",
    re.IGNORECASE,
)
# Words so common that they count on short texts of elements only that hold little.
NAME = re.compile(r"(?:^|[\s_-])(?:user|name|member|nick)(?:$|[\s_-])", re.IGNORECASE)
_INLINE = frozenset({"a", "b", "strong", "span", "h3", "h4", "h5", "em", "div", "dt"})
TIME = re.compile(
    r"(?:^|[\s_-])(?:date|time|date-?time|timestamp|posted(?:-?on|-?at|-?date)?|post-?date|created|published|time-?ago|age)(?:$|[\s_-])",
    re.IGNORECASE,
)
# 2024-05-01, 1.5.2024, 5/1/24, May 1, 2024, 1 May 2024 (any script's letters), 10:31, "3 years ago"
DATE = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2})\b|[^\W\d_]{3,}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}"
    r"|\d{1,2}(?:st|nd|rd|th|\.)?\s+[^\W\d_]{3,}\.?,?\s+\d{4}|\d{1,3}\s*[^\W\d_]{1,8}\s+ago\b|\d{1,2}:\d{2}\s*(?:[ap]\.?m|[A-Z]{3})\b",
    re.IGNORECASE,
)


def attributes(element: Any) -> str:
    """Class, id, itemprop and such, in one string."""
    return " ".join(
        value
        for key in ("class", "id", "itemprop", "data-testid", "component", "slot")
        if (value := element.get(key))
    )


def is_time(element: Any, text: str) -> bool:
    """Whether an element with this text names a time."""
    if element.tag == "time" or element.get("datetime"):
        return True
    if not 3 <= len(text) <= MAX_LANDMARK or not any(c.isdigit() for c in text):
        return False
    found = DATE.search(text)
    if found:
        return 3 * len(found[0]) >= len(text) or bool(TIME.search(attributes(element)))
    return bool(TIME.search(attributes(element))) and len(text) <= 30


def is_author(element: Any, text: str) -> bool:
    """Whether an element with this text names an author."""
    if not 2 <= len(text) <= MAX_LANDMARK or not any(c.isalnum() for c in text):
        return False
    if element.tag == "a" and PROFILE.search(element.get("href") or ""):
        return True
    if element.get("rel") == "author" or element.get("itemprop") == "author":
        return True
    named = attributes(element)
    if AUTHOR.search(named):
        return len(text.split()) <= 6
    return element.tag in _INLINE and bool(NAME.search(named)) and len(text.split()) <= 3
