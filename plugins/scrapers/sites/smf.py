"""Simple Machines Forum 2.0 and 2.1: `div.post_wrapper` with `div.poster` and `div.postarea`."""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, has

SMF = Engine(
    name="smf",
    marks=(
        f"//*[@id='forumposts']//*[{has('post_wrapper')}]",
        f"//div[{has('post_wrapper')}][div[{has('poster')}]]",
    ),
    posts=(f"//div[{has('post_wrapper')}]",),
    body=(f".//div[({has('inner')}) and starts-with(@id, 'msg_')]", f".//div[{has('post')}]"),
    author=(f".//div[{has('poster')}]//h4//a[last()]", f".//div[{has('poster')}]//h4"),
    time=(
        f".//*[{has('postinfo')}]//a[{has('smalltext')}]",
        f".//*[{has('keyinfo')}]//*[{has('smalltext')}]/text()[normalize-space(translate(., '\u00ab\u00bb', ''))]",
    ),
    drop=(
        f".//*[{has('codeheader', 'signature', 'modified', 'attachments')}]",
        f".//*[{has('codeoperation')}]/ancestor::div[{has('codeheader')}]",
    ),
    quote=(f".//*[{has('quoteheader')}]",),
    threads=(r"[?&;/]topic[=,](?P<thread>\d+)(?:\.(?P<start>\d+))?",),
    boards=(r"[?&;/]board[=,]\d+(?:\.\d+)?",),
)
