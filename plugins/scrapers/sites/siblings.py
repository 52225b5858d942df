"""Posts on a page of no known engine: the blocks that repeat, hold most of the words, and each name an author or a time.

A thread repeats one piece of markup a post. So do lists of links and boxes of statistics; what sets posts apart is that each holds
words of its own besides links, and a landmark: a name that leads to a profile, or a date (`landmarks.py`). The rules, in order:

  1. Elements alike are a group: same tag and one class in common; same tag and an `id` alike but for digits; for elements with neither,
     same tag in parents alike (`outline.py`). An element may be of several groups.
  2. A member's words are the characters of its subtree less what lies in a further member (answers nested in what they answer), in
     links or in navigation. A text that MANY of the members have, digits aside ("Reply", "Posts: 12"), is clutter: it counts as none.
  3. score(group) = sum over members of words / sqrt(max(1, times)), times = dates in the member, so that wrappers round several posts
     count less than these; only members with an author or a time; times (1 + share of words in members that have both) / 2; times
     min(1, N - 1), N = (sum of words)^2 / (sum of words^2), the number of members that the words are spread over.
  4. A group with less than MIN_SHARE of the page's words is none; the best of the rest is that of the posts. The parts of its members are
     grouped in the same way; the part with most words less clutter and landmarks is the body. Members without it are no posts.
  5. The post that opens a thread may look unlike its answers. It is the part with most words before the first member that is alike the
     bodies; else the element with most paragraphs there, if that has MIN_OPENING characters and a landmark beside it.
  6. A post's author is the name that stands most often outside its body, its time the first there.

The numbers were set on the even-numbered of the 111 forum pages of WCXB alone; word F1 there and on the odd ones: `bench/forum.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from plugins.scrapers.sites.engine import Post, words
from plugins.scrapers.sites.outline import DIGITS, Outline, outline
from plugins.scrapers.sites.prose import markdown

MANY = 0.3
"""Share of members that makes a text clutter, and at least three of them."""
MIN_SHARE = 0.2
"""Of the page's words outside links, that posts have at least."""
CANDIDATES = 8
"""Groups, best first, that are scored again without their clutter."""
MIN_MEMBER = 15
"""Characters of words in a member at least."""
LANDMARK_COST = 40
"""Characters that a landmark inside a body costs it."""
BODY_COVER = 0.4
"""Share of members that must have the part which is the body."""
MIN_OPENING = 200
"""Characters of an opening post that is unlike its answers."""
MAX_PARTS = 400
"""Parts of a member that are looked at for clutter."""
MAX_CLUTTER = 80
"""Characters of a text that may be clutter."""

_TEXTUAL = frozenset({"p", "ul", "ol", "blockquote", "pre"})


@dataclass(frozen=True, slots=True)
class _Part:
    """Where a post lies: all of it, its body (None: all of it), and where in the body its words begin, by element number."""

    whole: int
    body: int | None
    begin: int


def siblings(tree: Any, *, keep_quotes: bool = True) -> list[Post]:
    """The posts of a page, in order; none where nothing repeats as posts do."""
    page = outline(tree)
    members = _best(page) if page else []
    if page is None or not members:
        return []
    key, bodies = _bodies(page, members)
    parts = [
        _Part(member, body := bodies.get(member), -1 if body is None else body)
        for member in members
        if not bodies or member in bodies
    ]
    if opening := _opening(page, members[0], key):
        parts.insert(0, opening)
    chosen = set(members)
    # One set for all posts: what lies in another post, or names it, is never a post's text.
    drop = {*page.apart, *(page.elements[member] for member in members)}
    return [post for part in parts if (post := _post(page, part, chosen, drop, keep_quotes=keep_quotes))]


# ------------------------------------------------------------------------------------------------ the group


def _best(page: Outline) -> list[int]:
    """The members of the group that posts are likeliest to be, in order."""
    rough = sorted(((_score(page, members, page.words), members) for members in _groups(page)), reverse=True)
    best: tuple[float, list[int]] = (0.0, [])
    for score, members in rough[:CANDIDATES]:
        if score:
            clutter = _clutter(page, members)
            own = (0 if DIGITS.sub("#", text) in clutter else len(text) for text in page.texts)
            best = max(best, (_score(page, members, list(accumulate(own, initial=0))), members))
    return [member for member in best[1] if page.has_landmark(member)]


def _groups(page: Outline) -> list[list[int]]:
    by_key: dict[str, list[int]] = defaultdict(list)
    for number, keys in enumerate(page.keys):
        for key in keys:
            by_key[key].append(number)
    unique = {tuple(members): None for members in by_key.values() if len(members) > 1}
    return [list(members) for members in unique]


def _score(page: Outline, members: list[int], counted: list[int]) -> float:
    """Rule 3. `counted` is the running sum of what counts as words."""
    below = _below(page, members)

    def own(sums: list[int], member: int) -> int:
        return page.within(sums, member) - sum(page.within(sums, inner) for inner in below[member])

    weights: list[float] = []
    both = whole = 0.0
    for member in members:
        size, times, authors = own(counted, member), own(page.times, member), own(page.authors, member)
        if size < MIN_MEMBER or not (times or authors):
            continue
        weight = size / max(1, times) ** 0.5
        weights.append(weight)
        whole += size
        both += weight if times and authors else 0.0
    if len(weights) < 2 or whole < MIN_SHARE * page.within(page.words, 0):
        return 0.0
    total = sum(weights)
    spread = total**2 / sum(weight**2 for weight in weights)
    return total * (1 + both / total) / 2 * min(1.0, spread - 1)


def _below(page: Outline, members: list[int]) -> dict[int, list[int]]:
    """Of each member, the members next below it."""
    below: dict[int, list[int]] = {member: [] for member in members}
    around: list[int] = []
    for member in members:
        while around and page.ends[around[-1]] <= member:
            around.pop()
        if around:
            below[around[-1]].append(member)
        around.append(member)
    return below


def _clutter(page: Outline, members: list[int]) -> set[str]:
    """The texts, digits aside, that many members have."""
    seen: Counter[str] = Counter()
    for member in members:
        texts = page.texts[member : min(page.ends[member], member + MAX_PARTS)]
        seen.update({DIGITS.sub("#", text) for text in texts if 0 < len(text) < MAX_CLUTTER})
    many = max(3, MANY * len(members))
    return {text for text, count in seen.items() if count >= many}


# ------------------------------------------------------------------------------------------------ its parts


def _bodies(page: Outline, members: list[int]) -> tuple[str | None, dict[int, int]]:
    """What bodies are alike in, and of each member the part that is its body."""
    chosen, clutter = set(members), _clutter(page, members)
    gain: Counter[str] = Counter()
    firsts: dict[str, dict[int, int]] = defaultdict(dict)
    for member in members:
        for number, worth in _worth(page, member, chosen, clutter).items():
            for key in page.keys[number]:
                if member not in firsts[key]:
                    firsts[key][member] = number
                    gain[key] += worth
    covered = [key for key in gain if len(firsts[key]) >= BODY_COVER * len(members)]
    if not covered:
        return None, {}
    best = max(covered, key=lambda key: (gain[key], key))
    return best, firsts[best]


def _worth(page: Outline, member: int, chosen: set[int], clutter: set[str]) -> dict[int, int]:
    """Of each part of a member, in order: characters of words, less clutter and landmarks."""
    worth: dict[int, int] = {}
    number = member + 1
    while number < page.ends[member]:
        if number in chosen:
            number = page.ends[number]
            continue
        text = page.texts[number]
        size = -len(text) if DIGITS.sub("#", text) in clutter else len(text)
        marks = page.at(page.times, number) + page.at(page.authors, number)
        worth[number] = size - LANDMARK_COST * marks
        number += 1
    for number in reversed(list(worth)):
        if (parent := page.parents[number]) in worth:
            worth[parent] += worth[number]
    return worth


def _opening(page: Outline, first: int, key: str | None) -> _Part | None:
    """The post before the first member, if it is none of them. Rule 5."""
    before = [number for number in range(first) if page.ends[number] <= first]
    alike = [number for number in before if key in page.keys[number]]
    size: Counter[int] = Counter({number: page.within(page.words, number) for number in alike})
    for number in [] if alike else before:
        parent = page.parents[number]
        if page.elements[number].tag in _TEXTUAL and parent >= 0 and page.ends[parent] <= first:
            size[parent] += page.within(page.words, number)
        else:
            size[number] += len(page.texts[number])
    body, most = max(size.items(), key=lambda item: item[1], default=(-1, 0))
    if most < (MIN_MEMBER if alike else MIN_OPENING):
        return None
    around = body
    while page.parents[around] >= 0 and page.ends[page.parents[around]] <= first:
        around = page.parents[around]
    if not alike and not page.has_landmark(around):
        return None
    # Such a body may have its author and time above its words.
    inside = range(body, page.ends[body])
    begin = next((number for number in inside if page.elements[number].tag in _TEXTUAL), body)
    return _Part(around, body, begin)


def _post(page: Outline, part: _Part, chosen: set[int], drop: set[Any], *, keep_quotes: bool) -> Post | None:
    """Rule 6. Adds to `drop` the landmarks that it meets."""
    names: list[str] = []
    times: list[str] = []
    number = part.whole
    while number < page.ends[part.whole]:
        if number == part.begin and part.body is not None:
            number = page.ends[part.body]
            continue
        if number != part.whole and number in chosen:
            number = page.ends[number]
            continue
        for sums, found in ((page.times, times), (page.authors, names)):
            if page.at(sums, number):
                element = page.elements[number]
                drop.add(element)
                found.extend([text] if (text := words(element.get("datetime") or element)) else [])
        number += 1
    root = page.elements[part.whole if part.body is None else part.body]
    content = markdown([root], drop=drop, keep_quotes=keep_quotes)
    # One or two letters stand in for a picture.
    author = max(dict.fromkeys(names), key=lambda name: (len(name) > 2, names.count(name)), default=None)
    return Post(content, author=author, time=next(iter(times), None)) if content else None
