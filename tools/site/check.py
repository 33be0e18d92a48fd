"""Checks a built site: every link and anchor leads somewhere on it, links to elsewhere are proper addresses,
and no page loads anything from another host. Nothing is asked over the network.

    python tools/site/check.py SITE [--external]      # --external lists the addresses elsewhere
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Elements whose address a browser loads by itself, and the attribute with it.
LOADED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}
#: A `link` that names a page and loads nothing.
NAMING = {"alternate", "canonical", "next", "prev"}
STYLE = re.compile(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)")
#: What a script would fetch from elsewhere; addresses that are only named, such as namespaces, are not
#: fetched.
FETCHED = re.compile(r"(?:import\(|fetch\(|importScripts\()\s*[\"'](https?://[^\"']+)")


class Page(HTMLParser):
    """What a page links to, loads, and can be pointed at."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.links, self.loads, self.anchors, self.styles = [], [], set(), []
        self.style = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name) and tag != "meta")
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        attribute = LOADED.get(tag)
        if attribute in given and not (tag == "link" and NAMING & set(given.get("rel", "").split())):
            self.loads.append(given[attribute])
        self.loads += [part.split()[0] for part in given.get("srcset", "").split(",") if part.split()]
        self.styles.append(given.get("style", ""))
        self.style = tag == "style"

    def handle_data(self, data):
        if self.style:
            self.styles.append(data)


def check(site):
    """What is wrong, and the addresses elsewhere."""
    wrong, external = [], set()
    foreign = site / "api"  # rustdoc's pages are its own business; those that link to them are ours
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}
    pages = {path: Page(text) for path, text in texts.items()}
    for path, page in pages.items():
        if foreign in path.parents:
            continue
        said = path.relative_to(site).as_posix()
        loads = page.loads + [one for text in page.styles for one in addresses(text)]
        for address in page.links + loads:
            parts = urlsplit(address)
            if parts.scheme in ("data", "javascript", "mailto", "tel"):
                if parts.scheme == "javascript":
                    wrong.append(f"{said}: a script as a link: {address}")
            elif parts.scheme or parts.netloc:
                if address in loads:
                    wrong.append(f"{said} loads {address}")
                elif parts.scheme != "https" or not re.fullmatch(r"[a-z0-9.-]+\.[a-z]{2,}", parts.netloc):
                    wrong.append(f"{said}: not an https address: {address}")
                external.add(address)
            else:
                wrong += leads_nowhere(site, path, parts, pages, said)
    for path in [*site.rglob("*.css"), *site.rglob("*.js")]:
        if foreign in path.parents:
            continue
        text = path.read_text(encoding="utf-8")
        found = addresses(text) if path.suffix == ".css" else FETCHED.findall(text)
        for address in found:
            if urlsplit(address).netloc:
                wrong.append(f"{path.relative_to(site).as_posix()} loads {address}")
    if not pages:
        wrong.append("the site has no pages")
    return wrong, external


def addresses(style):
    return [one or other for one, other in STYLE.findall(style)]


def leads_nowhere(site, path, parts, pages, said):
    # The page for what is not found may stand anywhere, so that its links begin at the site's root.
    begins = site if parts.path.startswith("/") else path.parent
    target = path if not parts.path else (begins / unquote(parts.path).lstrip("/")).resolve()
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return [f"{said}: no {parts.path}"]
    if parts.fragment and target in pages:
        fragment = unquote(parts.fragment)
        if fragment not in pages[target].anchors and not fragment.startswith("__"):
            return [f"{said}: no #{fragment} on {target.relative_to(site).as_posix()}"]
    return []


def main(arguments):
    site = Path(arguments[0]).resolve()
    wrong, external = check(site)
    if "--external" in arguments:
        sys.stdout.write("".join(f"{address}\n" for address in sorted(external)))
    for line in wrong:
        sys.stderr.write(line + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
