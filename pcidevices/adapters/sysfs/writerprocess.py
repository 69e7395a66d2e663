"""
The program of a writer process (see `writers`): reads and writes files in sysfs as its standard input says.

It imports nothing but os, so as to start in a moment and to stay small. A line is verb, path and text, each in
hexadecimal digits; the verb is r or w. The answer is an errno, 0 for success, and what was read, in such digits too.
It ends when its input does.
"""

from __future__ import annotations

import os


_PAGE = 4096


def main() -> None:
    """Do as asked, and answer, until there is nothing more to do or nobody to tell."""
    with open(0, "rb") as lines:
        for line in lines:
            verb, path, text = (bytes.fromhex(word) for word in line.decode().split(" "))
            number, answer = done(verb, path, text)
            try:
                os.write(1, f"{number} {answer.hex()}\n".encode())
            except BrokenPipeError:
                return


def done(verb: bytes, path: bytes, text: bytes) -> tuple[int, bytes]:
    """Read, or hand *text* over in one system call; 0 or the errno of the refusal, and what was read."""
    try:
        fd = os.open(path, os.O_CLOEXEC | (os.O_WRONLY if verb == b"w" else os.O_RDONLY))
        try:
            if verb == b"w":
                os.write(fd, text)
                return 0, b""
            return 0, os.read(fd, _PAGE)
        finally:
            os.close(fd)
    except OSError as error:
        return error.errno or 0, b""


if __name__ == "__main__":
    main()
