"""MyBB 1.8: `div.post` with `div.post_author` and `div.post_body` whose id is `pid_123`."""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, has

MYBB = Engine(
    name="mybb",
    marks=(f"//div[{has('post_body')}][starts-with(@id, 'pid_')]",),
    posts=(
        f"//*[starts-with(@id, 'post_') and number(substring(@id, 6)) > 0][.//*[{has('post_body')}]]",
        f"//div[{has('post')}][.//*[{has('post_body')}]]",
    ),
    body=(f".//*[({has('post_body')}) and starts-with(@id, 'pid_')]", f".//*[{has('post_body')}]"),
    author=(
        f".//*[{has('author_information')}]//*[{has('largetext')}]",
        f".//*[{has('post_author')}]//strong",
        f".//*[{has('post_author')}]//a[normalize-space()]",
    ),
    time=(f".//*[{has('post_date')}]/text()[normalize-space()]", f".//*[{has('post_date')}]"),
    drop=(
        f".//*[{has('signature', 'post_edit', 'edited_post', 'codeblock')}]/*[{has('title')}]",
        f".//*[{has('signature', 'post_edit')}]",
    ),
    quote=(f".//*[{has('mycode_quote')}]",),
    threads=(
        r"showthread\.php\?(?:.*&)?tid=(?P<thread>\d+)(?:.*&page=(?P<page>\d+))?",
        r"/thread-(?P<thread>\d+)(?:-page-(?P<page>\d+))?\.html",
        r"/[Tt]hread-(?P<thread>[^/?]+)(?:\?(?:.*&)?page=(?P<page>\d+))?",
    ),
    boards=(r"forumdisplay\.php\?(?:.*&)?fid=\d+(?:&page=\d+)?", r"/forum-\d+(?:-page-\d+)?\.html"),
)
