"""Texts and pages that a plugin is tested with: empty, ordinary, hostile. The same at every call and on every machine."""

from __future__ import annotations

import random
from functools import cache

PROSE = (
    "The innkeeper poured another cup and watched the rain run down the window.\n\n“Who goes there?” she asked. Nobody answered; the dog had stolen the bread again, and the old sailors argued.",
    "Der Wirt stellte den Krug auf den Tisch und schaute lange hinaus in den Regen, während die Fischer über das Wetter stritten.",
    "def area(width, height):\n\treturn width * height\n",
    "Day 1: we sailed. Day 2: we sailed [2d6+1: 9] on. Visit https://example.org/maps?page=2 for more!!!",
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
)

HOSTILE = (
    "",
    " ",
    "\n",
    "\r\n\r\n\t ",
    "\0",
    "\ufeffA byte-order mark.",
    "a\0b\x1b[31mred\x1b[0m\x7f",
    "e\u0301 n\u0303 \u1112\u1161\u11ab \u212b \ufb01",
    "\u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1ea\U0001f1fa \U0010ffff \ue000",
    "\u200b\u200c\u200d\u2060\u00ad",
    "one\u2028two\u2029three\x0bfour\x0cfive\x85six\rseven",
    "â€œmojibakeâ€\x9d cafÃ© &amp;amp; &lt;b&gt;",
    "<script>alert(1)</script><p>unclosed <b>tags",
    "{{}} ${x} %s %(a)s {0} \\1 \\g<0> $1",
    "'; drop table documents; --",
    "(((((((((((((((((((((((((((((([[[[[[[[[[[[[[[[[[[[[[[[[{{{{{{{{{{{{{{{{{{{",
    "0",
    "-1e309 nan inf ١٢٣ ½ Ⅷ",
    "word " * 4000,
    "a" * 50_000,
    "line\n" * 3000,
    " \n" * 3000,
    "!?.,;:" * 2000,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
    "[2d6: 7][1d20+3: 11] [x [[2d6: 3]: 4]",
    "The wall [1] stood.[2][edit] So it was told.[citation needed] Read more.\nShare this\nAdvertisement\n",
)

RANDOM = 160
"""Texts put together at random."""


@cache
def texts() -> tuple[str, ...]:
    """Ordinary and hostile texts, and some put together of their pieces: neighbours make what no list foresees."""
    draw = random.Random(20_261_124)
    pieces = [
        *(piece for text in PROSE for piece in text.split(" ")[:12]),
        *(text for text in HOSTILE if len(text) < 40),
        *(
            "  ",
            "\n\n\n",
            "\t",
            " [",
            "]",
            ": ",
            "a",
            "A",
            "1",
            ".",
            "-",
            "\u00a0",
            "\u3000",
            "*",
            "_",
            "#",
            ">",
            "|",
        ),
    ]
    mixed = ("".join(draw.choice(pieces) for _ in range(draw.randint(1, 14))) for _ in range(RANDOM))
    return tuple(dict.fromkeys((*PROSE, *HOSTILE, *mixed)))


ORDINARY_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A tale</title></head><body><nav><a href="/">Home</a></nav>'
    f"<main><article><h1>A tale</h1><p>{PROSE[0]}</p><p>{PROSE[1]}</p></article></main><footer>All rights reserved.</footer></body></html>"
)

BAD_PAGES = (
    "",
    " ",
    "\0" * 100,
    "not a page",
    "<",
    "<html>",
    "<!--",
    "<![CDATA[",
    "<html><body><div class='post'><p>cut of",
    "<div>" * 3000,
    "<p>" + "x" * 100_000,
    "<table><tr><td><table><tr><td></table>text</td>",
    "<a href='javascript:1'>" * 50 + "\U0010ffff",
    '<div class="post"></div>' * 50,
    "<html><head><title></title></head><body></body></html>",
    '<time datetime="never">&#0;&#x110000;&#xd800;&bogus;</time>',
)
"""Decoded pages that no site should send."""

BAD_BYTES = (
    b"",
    b"\0" * 64,
    b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
    b"\xff\xfe<\0h\0t\0m\0l\0>",
    b"\x1f\x8b\x08\0 not gzip",
    b"<html><body>\xff\xfe\xfa latin \xe9 and utf-8 \xc3\xa9",
    b'{"id": 1, "text": ',
)
"""Files that are not what their name says."""
