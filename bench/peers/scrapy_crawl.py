"""Scrapy's crawl of the same site. In: seed, concurrency, keep. Out: seconds, pages.

`keep`: its queue and seen requests on disk (JOBDIR), so that it can be stopped and resumed, and every body written to a file of JSON lines;
otherwise all is in memory and the bodies are dropped.
"""

import base64
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from scrapy import Spider, signals
from scrapy.crawler import CrawlerProcess
from scrapy.linkextractors import LinkExtractor


class Pages(Spider):
    """Follows every link."""

    name = "pages"
    links = LinkExtractor()
    keep = None
    count = 0

    def parse(self, response):
        type(self).count += 1
        if self.keep is not None:
            body = base64.b64encode(response.body).decode()
            self.keep.write(json.dumps({"url": response.url, "status": response.status, "body": body}) + "\n")
        for link in self.links.extract_links(response):
            yield response.follow(link.url)


def main():
    config = json.load(sys.stdin)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        settings = {
            "ROBOTSTXT_OBEY": False,
            "CONCURRENT_REQUESTS": config["concurrency"],
            "CONCURRENT_REQUESTS_PER_DOMAIN": config["concurrency"],
            "DOWNLOAD_DELAY": 0,
            "LOG_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "COOKIES_ENABLED": False,
        }
        if config["keep"]:
            settings["JOBDIR"] = str(Path(folder, "job"))
            Pages.keep = stack.enter_context(Path(folder, "bodies.jsonl").open("w"))
        Pages.start_urls = [config["seed"]]
        process = CrawlerProcess(settings)
        crawler = process.create_crawler(Pages)
        ended = []
        crawler.signals.connect(lambda: ended.append(time.perf_counter()), signals.spider_closed, weak=False)
        process.crawl(crawler)
        start = time.perf_counter()
        process.start()
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    print(json.dumps({"seconds": ended[0] - start, "pages": Pages.count, "megabytes": size / 1e6}))


main()
