"""Home Assistant's filter of suspicious request targets, looked at after undoing every layer of percent-encoding."""
import re
from urllib.parse import unquote

# The kinds of target refused: process environment, script tags, climbing paths, file inclusion, SQL.
_SUSPICIOUS = re.compile(
    "|".join([
        r"proc/self/environ",
        r"(<|%3C).*script.*(>|%3E)",
        r"(\.\.//?)+",
        r"[a-zA-Z0-9_]=/([a-z0-9_.]//?)+",
        r"union.*select.*\(",
        r"union.*all.*select.*",
        r"concat.*\(",
    ]), re.IGNORECASE)


def _fully_unquoted(text):
    while (unquoted := unquote(text)) != text:
        text = unquoted
    return text


def is_refused(path, query):
    """`path` decoded once, as aiohttp gives it."""
    return any(
        any(octet in part for octet in "\t\r\n") or _SUSPICIOUS.search(_fully_unquoted(part)) for part in (path, query))
