"""Find links within a built site that lead nowhere: python .ci/links.py FOLDER."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The ids of a page and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name"):
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


root = Path(sys.argv[1]).resolve()
paths = [path for path in root.rglob("*.html") if "_static" not in path.parts]
pages = {path: Page(path.read_text()) for path in paths}
dead = set()
for path, page in pages.items():
    for link in page.links:
        url = urlsplit(link)
        if url.scheme or url.netloc:
            continue
        target = (path.parent / unquote(url.path)).resolve() if url.path else path
        if target.is_dir():
            target /= "index.html"
        missing = not target.exists()
        if not missing and url.fragment and target in pages:
            missing = unquote(url.fragment) not in pages[target].ids
        if missing:
            dead.add(f"{path.relative_to(root)}: {link}")
print(f"{len(pages)} pages, {len(dead)} dead links", *sorted(dead), sep="\n")
sys.exit(bool(dead))
