"""What a page may do to a parser. Loaded in the child only, by path."""

import ctypes
import os
import time


def misbehave(spec, item):
    if item == "loop":
        while True:
            pass
    if item == "loop in C":
        return (10**6) ** (10**9)
    if item == "sleep":
        time.sleep(3600)
    if item == "segfault":
        ctypes.string_at(0)
    if item == "memory":
        return len(bytes(2**33))
    if item == "raise":
        raise ValueError("no such\nthing")
    if item == "exit":
        raise SystemExit(3)
    if item == "die":
        os._exit(7)
    if item == "lambda":
        return lambda: None
    if item == "pid":
        return os.getpid()
    if item == "main":
        import __main__

        return getattr(__main__, "__file__", None)
    if isinstance(item, float):
        return burn(item)
    return [spec, item]


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds
