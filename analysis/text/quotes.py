"""Quotation marks and brackets: which are open at the end of a text, and what closes them."""

import re

_BRACKETS = "() [] {} <> （） ［］ ｛｝ ⟨⟩ 〈〉 《》 「」 『』 【】 〔〕 〖〗 ｢｣"
PAIRS = {pair[0]: pair[1] for pair in _BRACKETS.split()}
_QUOTES = {
    '"': '"', "'": "'", '"""': '"""', "'''": "'''", "“": "”", "„": "“”", "‟": "”", "”": "”", "‘": "’", "‚": "‘’",
    "‛": "’", "«": "»", "»": "«", "‹": "›", "›": "‹", "〝": "〞〟",
}  # fmt: skip
"""Each with the marks that may close it: “Rome”, „Rom“, ”Rom”, «Roma», »Rom«."""
_MARK = re.compile(r'"""|\'\'\'|`+|["\'“”„‟‘’‚‛«»‹›〝〞〟]')
_EITHER = frozenset("”»›")
"""Marks that open in some languages and close in more: they open only where a word could begin."""


def open_quotes(line: str) -> list[tuple[str, int]]:
    """Quotation marks that are open at the end of a line, outermost first, each with the place behind it."""
    found: list[tuple[str, int]] = []
    for match in _MARK.finditer(line):
        mark, before, behind = match[0], line[: match.start()][-1:], line[match.end() :][:1]
        if mark in "'’" and before.isalnum() and behind.isalnum():
            continue  # an apostrophe
        at = next((i for i in reversed(range(len(found))) if _closes(mark, found[i][0])), None)
        if at is not None and (mark != "'" or at == len(found) - 1):
            del found[at:]
        elif _opens(mark, before):
            found.append((mark, match.end()))
    return found


def _closes(mark: str, opened: str) -> bool:
    return mark == opened if opened[0] == "`" or len(opened) > 1 else mark in _QUOTES[opened]


def _opens(mark: str, before: str) -> bool:
    if mark[0] == "`":
        return True
    if mark not in _QUOTES:
        return False
    if mark == '"':
        return not before.isdigit()  # inches and seconds
    if mark == "'" or mark in _EITHER:
        return not before or before.isspace() or before in PAIRS or before in "=:,/|+-—–" or before in _QUOTES
    return True


def closing(text: str) -> str:
    """What closes the marks that a text ends with: ")" for "(", nothing for text that ends with none."""
    line = text.rpartition("\n")[2]
    quotes = {end: mark for mark, end in open_quotes(line)}
    found = ""
    end = len(line)
    while end:
        if mark := quotes.get(end):
            found, end = found + (mark if mark[0] == "`" else _QUOTES[mark][0]), end - len(mark)
        elif line[end - 1] in PAIRS:
            found, end = found + PAIRS[line[end - 1]], end - 1
        else:
            break
    return found
