"""A site of so many pages on loopback, fast enough to be no bottleneck. In: pages. Out: its port; serves until stdin ends.

Page n links to ten pages of its own and twenty that every page links to, as navigation does; each holds some 3 KB of text.
"""

import asyncio
import json
import sys

TEXT = "the mill stood by the river where grain was brought and ground to flour for all who came"
CHILDREN, NAVIGATION = 10, 20


def page(number, pages):
    first = number * CHILDREN + 1
    links = [*range(first, min(pages, first + CHILDREN)), *range(min(pages, NAVIGATION))]
    words = TEXT.split()
    text = " ".join(words[(number + n * n) % len(words)] for n in range(420))
    items = "".join(f'<li><a href="/p/{n}">page {n}</a></li>' for n in links)
    body = f"<!doctype html><html><head><title>{number}</title></head><body><p>{text}</p><ul>{items}</ul></body></html>".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(pages):
    made = [page(number, pages) for number in range(pages)]
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    async def answer(reader, writer):
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(b" ", 2)[1]
                number = int(path[3:]) if path.startswith(b"/p/") and path[3:].isdigit() else pages
                writer.write(made[number] if number < pages else missing)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


def main():
    asyncio.run(serve(json.loads(sys.stdin.readline())["pages"]))


main()
