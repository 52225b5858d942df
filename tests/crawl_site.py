"""A site to crawl, on loopback: several hosts on one port, pages made from their address, and every way a server can misbehave.

`Site(folder)` runs it in a child process; `site.log()` tells who asked for what and when. As a script, it serves until its standard
input ends, so that no server outlives the test. It speaks just enough HTTP/1.1 to be fast: the crawler's speed is what is measured.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

HOSTS = ("alpha.test", "beta.test", "gamma.test", "busy.test", "closed.test", "trap.test")
FANOUT = 10
WORDS = [
    "the",
    "mill",
    "stood",
    "by",
    "the",
    "river",
    "where",
    "grain",
    "was",
    "brought",
    "and",
    "ground",
    "to",
    "flour",
    "for",
    "all",
]

ROBOTS = {
    "alpha.test": "User-agent: *\nDisallow: /private/\nAllow: /private/open\n\nSitemap: http://alpha.test:{port}/sitemap.xml\n",
    "gamma.test": "User-agent: gristmill\nCrawl-delay: 0.05\nDisallow: /p/1$\n",
    "busy.test": "User-agent: other\nDisallow: /\n",
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def page(title: str, links: list[str], *, head: str = "", words: int = 300, seed: int = 0) -> bytes:
    text = " ".join(WORDS[(seed * 7 + n * n) % len(WORDS)] for n in range(words))
    return (
        f"<!doctype html><html><head><meta charset=utf-8><title>{title}</title>{head}</head><body><h1>{title}</h1>"
        f"<p>{text}</p><ul>{''.join(f'<li>{link}</li>' for link in links)}</ul></body></html>"
    ).encode()


def a(href: str, rel: str = "") -> str:
    return f'<a href="{href}"{f" rel={rel}" if rel else ""}>{href}</a>'


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: tuple[str, ...] = ("Content-Type: text/html; charset=utf-8",)
    wait: float = 0.0
    way: str = ""
    """How it goes wrong: reset, short, garbage, drip."""


class Pages:
    """What the hosts answer. `size` is the number of ordinary pages of alpha; beta has half as many, gamma a few."""

    def __init__(self, size: int, port: int) -> None:
        self.sizes = {
            "alpha.test": size,
            "beta.test": size // 2,
            "gamma.test": min(20, size),
            "127.0.0.1": min(30, size),
        }
        self.port = port
        self.asked: Counter[str] = Counter()
        self.ordinary = lru_cache(maxsize=10_000)(self._ordinary)

    def url(self, host: str, path: str) -> str:
        return f"http://{host}:{self.port}{path}"

    def reply(self, host: str, path: str, headers: dict[str, str]) -> Reply:
        self.asked[host + path] += 1
        parts = path.strip("/").split("?")[0].split("/")
        if path == "/robots.txt":
            if host == "closed.test":
                return Reply(b"", 503)
            text = ROBOTS.get(host)
            return Reply(text.format(port=self.port).encode()) if text else Reply(b"none", 404)
        if parts[0] == "p" and len(parts) == 2 and host in self.sizes:
            reply = self.ordinary(host, int(parts[1])) if parts[1].isdigit() else Reply(b"", 404)
            if 'ETag: "v1"' in reply.headers and headers.get("if-none-match") == '"v1"':
                return Reply(b"", 304, ('ETag: "v1"',))
            return reply
        handler = getattr(self, "do_" + (parts[0].replace(".", "_") or "root"), None)
        return handler(host, path, parts) if handler else Reply(page("nothing here", []), 404)

    def _ordinary(self, host: str, number: int) -> Reply:
        size = self.sizes[host]
        if number >= size:
            return Reply(page("no such page", []), 404)
        links = [a(f"/p/{n}") for n in range(number * FANOUT + 1, min(size, number * FANOUT + FANOUT + 1))]
        links += [a(f"../p/{n}#top") for n in range(20)]  # navigation
        links += [a(f"/p/{(number * 31 + n * 17) % size}?utm_source=x") for n in range(5)]
        links += [a("mailto:a@b.test"), a("javascript:void(0)"), a("/logo.png")]
        if number % 50 == 7:
            links += [a("/private/secret"), a(f"/missing/{number}")]
        headers: tuple[str, ...] = ("Content-Type: text/html; charset=utf-8",)
        if number % 2:
            headers = (*headers, 'ETag: "v1"')
        body = page(f"{host} {number}", links, seed=number)
        if number % 3 == 0:
            return Reply(gzip.compress(body, 1), headers=(*headers, "Content-Encoding: gzip"))
        return Reply(body, headers=headers)

    def do_root(self, host: str, path: str, parts: list[str]) -> Reply:
        u, links = self.url, ["/p/0", "/odd"]
        if host == "alpha.test":
            links += [
                u("beta.test", "/"),
                u("gamma.test", "/"),
                u("busy.test", "/"),
                u("closed.test", "/"),
                u("trap.test", "/"),
            ]
        if host == "busy.test":
            links = [f"/busy/{n}" for n in range(4)]
        if host == "trap.test":
            links = ["/calendar?year=2020&month=1", "/deep/x", "/facets?a=1", "/sessions"]
        if host == "gamma.test":
            links = ["/p/0"]
        return Reply(page(host, [a(link) for link in links]))

    def do_odd(self, host: str, path: str, parts: list[str]) -> Reply:
        links = [
            "/r/chain/5", "/r/loop/a", "/r/endless/0", "/r/self/0", "/r/scheme/0", "/r/inside/0", "/r/offsite/0", "/r/cross/0",
            "/slow/1", "/broken/reset", "/broken/short", "/broken/garbage", "/broken/gzip", "/broken/drip", "/huge", "/bomb",
            "/heals/1", "/dead", "/noindex", "/noai", "/tdm", "/pagenofollow", "/latin", "/empty", "/picture", "/private/open",
            "http://nowhere.test/", "http://10.0.0.1/", "ftp://alpha.test/x", f"//beta.test:{self.port}/p/2", "/licensed",
        ]  # fmt: skip
        return Reply(page("odd", [*map(a, links), a("/nofollowed", "nofollow")]))

    def do_r(self, host: str, path: str, parts: list[str]) -> Reply:
        kind, where = parts[1], parts[2]
        number = int(where) if where.isdigit() else 0
        target = {
            "chain": f"/r/chain/{number - 1}" if number else "/p/1",
            "loop": "/r/loop/b" if where == "a" else "/r/loop/a",
            "endless": f"/r/endless/{number + 1}",
            "self": path,
            "scheme": "file:///etc/passwd",
            "inside": "http://169.254.169.254/latest/meta-data/",
            "offsite": "http://elsewhere.test/",
            "cross": self.url("beta.test" if host == "alpha.test" else "alpha.test", "/p/3"),
        }[kind]
        return Reply(b"", (301, 302, 307)[number % 3], (f"Location: {target}",))

    def do_slow(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("slow", []), wait=0.2)

    def do_broken(self, host: str, path: str, parts: list[str]) -> Reply:
        if parts[1] == "gzip":
            return Reply(
                b"\x1f\x8b\x08\x00broken", headers=("Content-Type: text/html", "Content-Encoding: gzip")
            )
        return Reply(page("broken", []), way=parts[1])

    def do_huge(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(b"x" * (3 << 20))

    def do_bomb(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(_bomb(), headers=("Content-Type: text/html", "Content-Encoding: gzip"))

    def do_heals(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("well again", [])) if self.asked[host + path] > 2 else Reply(b"ill", 500)

    def do_dead(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(b"dead", 500)

    def do_busy(self, host: str, path: str, parts: list[str]) -> Reply:
        if self.asked[host + path] > 1:
            return Reply(page("at last", []))
        return Reply(b"", 429, ("Retry-After: 1",) if parts[1] == "0" else ())

    def do_noindex(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("noindex", [a("/found/by-noindex")], head='<meta name="robots" content="noindex">'))

    def do_noai(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("noai", []), headers=("Content-Type: text/html", "X-Robots-Tag: noai"))

    def do_tdm(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("tdm", []), headers=("Content-Type: text/html", "TDM-Reservation: 1"))

    def do_pagenofollow(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("nofollow", [a("/nofollowed2")], head='<meta name="robots" content="nofollow">'))

    def do_found(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("found", []))

    def do_licensed(self, host: str, path: str, parts: list[str]) -> Reply:
        link = '<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">CC BY</a>'
        return Reply(page("licensed", [link]))

    def do_latin(self, host: str, path: str, parts: list[str]) -> Reply:
        body = "<title>Mühle</title><p>Die Mühle am Fluß</p>".encode("latin-1")
        return Reply(body, headers=("Content-Type: text/html; charset=iso-8859-1",))

    def do_empty(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(b"")

    def do_picture(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(PNG, headers=("Content-Type: image/png",))

    def do_private(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page(path, []))

    do_nofollowed = do_nofollowed2 = do_secret = do_private

    def do_sitemap_xml(self, host: str, path: str, parts: list[str]) -> Reply:
        maps = "".join(f"<sitemap><loc>{self.url(host, f'/maps/{n}')}</loc></sitemap>" for n in range(2))
        return Reply(
            f"<sitemapindex>{maps}</sitemapindex>".encode(), headers=("Content-Type: application/xml",)
        )

    def do_maps(self, host: str, path: str, parts: list[str]) -> Reply:
        urls = [self.url(host, f"/mapped/{parts[1]}-{n}") for n in range(3)] + [
            "http://elsewhere.test/mapped"
        ]
        body = f"<urlset>{''.join(f'<url><loc>{url}</loc></url>' for url in urls)}</urlset>".encode()
        return Reply(gzip.compress(body), headers=("Content-Type: application/gzip",))

    def do_mapped(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("mapped", []))

    def do_feed(self, host: str, path: str, parts: list[str]) -> Reply:
        items = "".join(f"<item><link>{self.url(host, f'/mapped/feed-{n}')}</link></item>" for n in range(2))
        return Reply(
            f"<rss><channel>{items}</channel></rss>".encode(), headers=("Content-Type: application/rss+xml",)
        )

    # ----------------------------------------------------------------------------------------- traps

    def do_calendar(self, host: str, path: str, parts: list[str]) -> Reply:
        query = dict(pair.split("=") for pair in path.partition("?")[2].split("&"))
        month = int(query["year"]) * 12 + int(query["month"]) - 1
        links = [a(f"/calendar?year={m // 12}&month={m % 12 + 1}") for m in (month + 1, month - 1)]
        return Reply(page("calendar", links))

    def do_deep(self, host: str, path: str, parts: list[str]) -> Reply:
        return Reply(page("deep", [a(f"{path}/x"), a("/p/0")]))

    def do_facets(self, host: str, path: str, parts: list[str]) -> Reply:
        query = path.partition("?")[2]
        links = [a(f"{path}&{name}={len(query)}") for name in "bcde"]
        return Reply(page("facets", links))

    def do_sessions(self, host: str, path: str, parts: list[str]) -> Reply:
        number = sum(self.asked.values())
        return Reply(
            page("session", [a(f"/sessions?sid={number:032x}"), a(f"/sessions;jsessionid={number:08X}")])
        )


@lru_cache
def _bomb() -> bytes:
    return gzip.compress(bytes(20 << 20), 1)  # quick to make: meanwhile the site answers nobody


class Server(asyncio.Protocol):
    """HTTP/1.1 without bodies in requests, pipelining or mercy."""

    def __init__(self, pages: Pages, log: int) -> None:
        self.pages, self.log, self.buffer = pages, log, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            host, path = headers.get("host", "").partition(":")[0], first.split(" ")[1]
            os.write(self.log, f"{time.time():.6f} {host} {path} {headers.get('user-agent', '')}\n".encode())
            reply = self.pages.reply(host, path, headers)
            if reply.wait or reply.way == "drip":
                self.task = asyncio.get_running_loop().create_task(self.later(reply))
            else:
                self.send(reply)

    async def later(self, reply: Reply) -> None:
        await asyncio.sleep(reply.wait)
        if reply.way == "drip":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not self.transport.is_closing():
                self.transport.write(b"x")
                await asyncio.sleep(0.05)
            return
        self.send(reply)

    def send(self, reply: Reply) -> None:
        if reply.way == "reset":
            self.transport.abort()
            return
        if reply.way == "garbage":
            self.transport.write(b"\0\1\2 this is no HTTP\r\n\r\n")
            self.transport.close()
            return
        length = len(reply.body) + (500 if reply.way == "short" else 0)
        fields = "".join(f"{line}\r\n" for line in reply.headers)
        self.transport.write(
            f"HTTP/1.1 {reply.status} Reason\r\n{fields}Content-Length: {length}\r\n\r\n".encode()
            + reply.body
        )
        if reply.way == "short":
            self.transport.close()


async def serve(size: int, log: Path) -> None:
    loop = asyncio.get_running_loop()
    file = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    pages = Pages(size, 0)
    server = await loop.create_server(lambda: Server(pages, file), "127.0.0.1", 0)
    pages.port = server.sockets[0].getsockname()[1]
    print(pages.port, flush=True)
    ended = loop.create_future()
    loop.add_reader(sys.stdin, lambda: sys.stdin.read(1) or ended.done() or ended.set_result(None))
    await ended
    server.close()


@dataclass(frozen=True)
class Asked:
    at: float
    host: str
    path: str
    agent: str


class Site:
    """The site in a child process; a context manager."""

    def __init__(self, folder: Path, size: int) -> None:
        self.log_file = folder / "requests.log"
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(size), str(self.log_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def url(self, host: str, path: str = "/") -> str:
        return f"http://{host}:{self.port}{path}"

    def log(self, after: int = 0) -> list[Asked]:
        """Requests in order, without the first `after`."""
        return [Asked(float(at), host, path, agent) for at, host, path, agent in self._lines()][after:]

    def _lines(self) -> Iterator[list[str]]:
        for line in self.log_file.read_text().splitlines() if self.log_file.exists() else ():
            yield line.split(" ", 3)


async def loopback(name: str, port: int) -> list[str]:
    """Resolves every name of the test site, and the few that must never be dialled, too."""
    if name == "nowhere.test":
        raise OSError("no such host")
    return ["127.0.0.1"]


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
