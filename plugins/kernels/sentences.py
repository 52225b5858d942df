"""How many sentences texts have, by the rule of spaCy's sentencizer on the tokens of `plugins.kernels.tokens`."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from plugins.kernels.buffers import Texts
from plugins.kernels.compiled import compiled
from plugins.kernels.token_tables import Bytes, code_points
from plugins.kernels.tokens import Longs, Spans
from plugins.kernels.words import decode

_TERMINALS = """21 2E 3F 589 61F 6D4 700-702 7F9 964-965 104A-104B 1362 1367-1368 166E 1735-1736 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B
1B5E-1B5F 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 2E2E 2E3C 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F
AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF
11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11A42-11A43 11A9B-11A9C 11C41-11C42
16A6E-16A6F 16AF5 16B37-16B38 16B44 1BC9F 1DA88"""


def sentences(texts: Texts, spans: Spans) -> Longs:
    """How many sentences each text has, by the rule of spaCy's sentencizer: one ends after a token that is a sentence terminal, and after
    the terminals and other punctuation (P) that follow it; so it does at white space there, other than one space. Int64."""
    return _sentences(texts.data, *spans, *marks())


@cache
def marks() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(sentence terminals, punctuation) by code point. The terminals are spaCy's list, which stands here for parity: Unicode's property
    Sentence_Terminal as it was, and unicodedata has none."""
    points = sorted(code_points(_TERMINALS))
    terminals = np.zeros(points[-1] + 1, np.bool_)
    terminals[points] = True
    punctuation = np.fromiter(
        (unicodedata.category(chr(p))[0] == "P" for p in range(0x1FFFF)), np.bool_, count=0x1FFFF
    )
    return terminals, punctuation


@compiled
def _sentences(
    data: Bytes,
    starts: Longs,
    ends: Longs,
    offsets: Longs,
    terminals: npt.NDArray[np.bool_],
    punctuation: npt.NDArray[np.bool_],
) -> Longs:
    counts = np.zeros(len(offsets) - 1, np.int64)
    for text in range(len(counts)):
        count, ended = 0, False
        for token in range(offsets[text], offsets[text + 1]):
            start, end = starts[token], ends[token]
            if count == 0:
                count = 1
            elif ended:
                gap = start - ends[token - 1]
                if gap > 1 or (gap == 1 and data[start - 1] != 32):
                    count, ended = count + 1, False
            point, width = np.int64(data[start]), 1
            if point >= 0x80:
                point, width = decode(data, start, end)
            if width == end - start and point < len(terminals) and terminals[point]:
                ended = True
            elif ended and not _all_punctuation(data, start, end, punctuation):
                count, ended = count + 1, False
        counts[text] = count
    return counts


@compiled
def _all_punctuation(data: Bytes, start: int, end: int, punctuation: npt.NDArray[np.bool_]) -> bool:
    while start < end:
        point, width = np.int64(data[start]), 1
        if point >= 0x80:
            point, width = decode(data, start, end)
        if point >= len(punctuation) or not punctuation[point]:
            return False
        start += width
    return True
