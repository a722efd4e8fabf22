"""Names of databases for messages to an operator: scheme, host, port and database of a URL, and nothing else of it."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[A-Za-z][\w+.-]*(?=:)")
_HOST = r"(?:\[[\w:.%]+\]|[\w.-]*)(?::\d+)?"
_HOSTS = re.compile(f"{_HOST}(?:,{_HOST})*")
_DATABASE = re.compile(r"/[^?#@]*")


def label_of(url: str) -> str:
    """*url* without user, password and options; where a text is ambiguous only what cannot be a secret is kept.

    >>> label_of("postgresql://scott:tiger@db:5432/mes?sslpassword=tiger")
    'postgresql://db:5432/mes'
    >>> label_of("postgresql://scott:ti/ger@db/mes"), label_of("postgresql://scott:ti?ger@db/mes")
    ('postgresql://db/mes', 'postgresql:')
    """
    if (scheme := _SCHEME.match(url)) is None:
        return "a URL"
    rest = url[scheme.end() + 1 :]
    before, mark, options = _cut(rest)
    if not rest.startswith("//") or (mark and "@" in options):  # an @ there may end a password that nobody escaped
        return f"{scheme[0]}:"
    place = before[2:].rpartition("@")[2]
    hosts = _HOSTS.match(place)
    after = place[hosts.end() if hosts is not None else 0 :]
    if hosts is None or not (after == "" or _DATABASE.fullmatch(after)) or not after.isprintable():
        return f"{scheme[0]}:"
    return f"{scheme[0]}://{hosts[0]}{after}"


def _cut(text: str) -> tuple[str, str, str]:
    """*text* before the first question or number sign, that sign, and the rest."""
    found = re.search(r"[?#]", text)
    return (text, "", "") if found is None else (text[: found.start()], found[0], text[found.end() :])
