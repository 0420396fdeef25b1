"""Data cards, which are markdown, as HTML. markdown-it is what rich uses, too."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup


def card(text: str) -> Markup:
    """Return a data card as HTML, without its front matter and title, and with nothing in it that loads."""
    body = text.split("---\n", 2)[2].split("\n", 3)[3]
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    html = renderer.disable(["link", "image", "autolink"]).render(body)
    # Inside of a section of the page.
    return Markup(html.replace("<h2>", "<h4>").replace("</h2>", "</h4>"))
