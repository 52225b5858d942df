"""The crawl of a serial: from each page to the next chapter, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.scrapers.crawl import Crawl
from plugins.scrapers.serial_about import about


class ChapterCrawl(Crawl):
    """Follows the one link that leads on."""

    def follow(self, html: str, url: str) -> Sequence[str]:
        """The address of the next chapter, where the page names one."""
        following = about(html, url).following
        return [following] if following else []
