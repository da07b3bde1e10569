"""What somebody sees who has not signed in: a page of its own, since Streamlit's needs a connection.

It looks as the others do: vellum by day, night by ultraviolet, the wordmark, one sentence.
"""

from html import escape

LOOK = """
@font-face { font-family: Garamond; src: url(app/static/eb-garamond-latin-wght-normal.woff2); font-weight: 400 800 }
@font-face { font-family: Commissioner; src: url(app/static/commissioner-latin-wght-normal.woff2) }
:root { color-scheme: light dark; --page: #F8F7F2; --ink: #1C2333; --grey: #5A5F6C; --control: #24324F; --said: #fff }
@media (prefers-color-scheme: dark) {
  :root { --page: #12121D; --ink: #E9E6DB; --grey: #ACACBB; --control: #6C69D8 }
}
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 Commissioner, 'Segoe UI', sans-serif }
main { max-width: 980px; margin: 0 auto; padding: 64px 24px }
h1 { font: 500 44px/1.15 Garamond, Georgia, serif; margin: 48px 0 12px }
p { margin: 0 0 24px; max-width: 40em; overflow-wrap: anywhere }
p.grey { color: var(--grey) }
img { height: 32px; display: block }
a { display: inline-block; margin: 0 12px 12px 0; padding: 8px 18px; border-radius: 3px; text-decoration: none;
    background: var(--control); color: var(--said) }
a:focus-visible { outline: 2px solid #6c69d8; outline-offset: 2px }
"""


def sign_in_page(ways: dict[str, str], known: str | None) -> str:
    """The page with a button for each way in; `known` is somebody who has signed in and is not admitted."""
    if known is None:
        told = "This workbench is open to people who sign in."
    else:
        told = f"{known} is not on the list of this workbench. Whoever runs it can add the address."
        ways = {"auth/logout": "Sign in as somebody else"}
    buttons = "\n".join(f'<a href="{escape(where)}">{escape(what)}</a>' for where, what in ways.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Palimpsest</title>
<link rel="icon" href="app/static/icon.svg">
<style>{LOOK}</style>
</head>
<body>
<main>
<img src="app/static/wordmark.svg" alt="Palimpsest">
<h1>{"Who is there?" if known is None else "Not on the list"}</h1>
<p class="grey">{escape(told)}</p>
{buttons}
</main>
</body>
</html>
"""
