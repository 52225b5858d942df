"""phpBB 3 (prosilver and styles made from it), and the PunBB family (PunBB, FluxBB), whose addresses look alike.

phpBB marks its body `id="phpbb"`; FluxBB and PunBB wrap all in `div.pun` or number their posts with class `blockpost`.
"""

from __future__ import annotations

from plugins.scrapers.sites.engine import Engine, has

PHPBB = Engine(
    name="phpbb",
    marks=(
        "//body[@id='phpbb']",
        "//div[contains(@class, 'viewtopic') and starts-with(@id, 'phpbb')]",
        f"//div[starts-with(@id, 'p') and ({has('post')})]//div[{has('postbody')}]//div[{has('content')}]",
    ),
    posts=(
        f"//*[({has('post')}) and starts-with(@id, 'p') and number(substring(@id, 2)) > 0]",
        f"//*[({has('post')}) and starts-with(@id, 'post')][.//*[{has('postbody')}]]",
        f"//*[({has('post')})][.//*[{has('postbody')}]][.//*[{has('content')}]]",
    ),
    body=(
        f".//*[{has('postbody')}]//*[{has('content')}]",
        f".//*[{has('content')}]",
        f".//*[{has('postbody')}]",
    ),
    author=(
        f".//*[{has('postprofile')}]//*[{has('username', 'username-coloured')}]",
        f".//*[{has('username', 'username-coloured', 'author-name')}]",
        f".//*[{has('postprofile')}]//dt//a[not(img)]",
        f".//*[{has('author')}]//strong",
    ),
    time=(
        f".//*[{has('author')}]//time/@datetime",
        f".//*[{has('postbody')}]//time/@datetime",
        f".//p[{has('author')}]/text()[normalize-space()][last()]",
        f".//p[{has('author')}]/a[last()]",
        f".//p[{has('author')}]",
    ),
    drop=(
        f".//*[{has('codebox')}]/p",
        f".//dl[{has('codebox')}]/dt",
        f".//*[{has('signature', 'notice', 'attachbox', 'post-buttons', 'posthilit-off', 'back2top')}]",
        ".//*[starts-with(@id, 'sig')]",
        f".//*[{has('quotetitle')}]//*[{has('imitation-icon')}]",
    ),
    quote=(f".//*[{has('quotecontent')}]",),
    threads=(r"viewtopic\.php\?(?:.*&)?t=(?P<thread>\d+)(?:.*&start=(?P<start>\d+))?",),
    boards=(r"viewforum\.php\?(?:.*&)?f=\d+(?:&start=\d+)?",),
)

PUNBB = Engine(
    name="punbb",
    marks=(
        f"//div[{has('pun')}][.//div[{has('blockpost')}]]",
        f"//div[{has('blockpost')}]//div[{has('postmsg')}]",
    ),
    posts=(f"//div[{has('blockpost')}]",),
    body=(f".//div[({has('postmsg')}) and not({has('postsignature')})]",),
    author=(f".//div[{has('postleft')}]//dt", f".//*[{has('byline', 'author')}]"),
    time=(".//h2//a",),
    drop=(f".//*[{has('postedit', 'postsignature')}]",),
    quote=(f".//*[{has('quotebox')}]",),
    threads=(r"viewtopic\.php\?(?:.*&)?id=(?P<thread>\d+)(?:.*&p=(?P<page>\d+))?",),
    boards=(r"viewforum\.php\?(?:.*&)?id=\d+(?:&p=\d+)?",),
)
