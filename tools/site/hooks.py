"""What the site has beyond docs/: the pages at the repository's root, the decisions' list, the
examples' text, the TypeScript reference. Links between all of them are turned to where they are on
the site; comments are left out."""

import os
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
#: Where `cargo xtask docs` has typedoc put its pages.
TYPESCRIPT = os.environ.get("PREOPEN_TYPESCRIPT_PAGES")

#: Pages at the root of the repository, and where they are on the site.
PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "tests/README.md": "project/tests.md",
    "docs/adr": "adr/index.md",
}
LANGUAGES = {".py": "python", ".mjs": "js", ".ts": "ts", ".rs": "rust"}
COMMENT = re.compile(r"^[ \t]*<!--.*?-->[ \t]*\n?", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^([ \t]*)(```+)(\w*)")
#: What rustdoc leaves out of a page: a block is a whole program with it.
HIDDEN = re.compile(r"[ \t]*#( |$)")


def examples():
    """The programs of examples/, by name."""
    return sorted(path for path in (ROOT / "examples").rglob("*") if path.suffix in LANGUAGES)


def on_files(files, config):
    """Adds what is not below docs/."""
    for source, page in PAGES.items():
        if page.startswith("project/"):
            files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for path in examples():
        name = path.relative_to(ROOT / "examples").as_posix()
        text = path.read_text(encoding="utf-8").rstrip()
        page = f"# {name}\n\n```{LANGUAGES[path.suffix]}\n{text}\n```\n"
        files.append(File.generated(config, f"examples/{name}.md", content=page))
    files.append(File.generated(config, "examples/index.md", content=list_of_examples()))
    files.append(File.generated(config, "adr/index.md", content=list_of_decisions()))
    if TYPESCRIPT:
        for path in sorted(Path(TYPESCRIPT).rglob("*.md")):
            name = path.relative_to(TYPESCRIPT).as_posix()
            page = path.read_text(encoding="utf-8")
            files.append(File.generated(config, f"reference/typescript/{name}", content=page))
    else:
        page = "# TypeScript\n\nWritten by `cargo xtask docs`.\n"
        files.append(File.generated(config, "reference/typescript/index.md", content=page))
    return files


def list_of_examples():
    lines = ["# Examples", "", "Programs to start from. The tests run each of them.", ""]
    for path in examples():
        name = path.relative_to(ROOT / "examples").as_posix()
        lines.append(f"- [{name}]({name}.md): {first_sentence(path)}")
    return "\n".join(lines) + "\n"


def first_sentence(path):
    """What the opening comment of a program says it does."""
    text = path.read_text(encoding="utf-8")
    opening = re.match(r'(?:#!.*\n)?(?:"""(.*?)(?:\n\n|""")|((?://.*\n)+))', text, re.DOTALL)
    said = next(filter(None, opening.groups())) if opening else ""
    said = " ".join(line.strip("/! \t") for line in said.splitlines())
    return re.split(r"(?<=[.:]) ", said)[0].rstrip(":") or path.stem


def list_of_decisions():
    lines = ["# Decisions", "", "Why the house is built as it is, a page each.", ""]
    for path in sorted((ROOT / "docs/adr").glob("0*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def on_page_markdown(markdown, page, config, files):
    """Leaves comments out and turns links, but not in blocks of code."""
    source = source_of(page.file.src_uri)
    turned, fence, language, text = [], None, "", []

    def end_of_text():
        part = COMMENT.sub("", "".join(text))
        turned.append(LINK.sub(lambda link: turn(link, source, page.file.src_uri, files), part))
        text.clear()

    for line in markdown.splitlines(keepends=True):
        mark = FENCE.match(line)
        if fence is None and mark:
            end_of_text()
            fence, language = mark.group(2), mark.group(3)
            turned.append(line)
        elif fence is not None:
            if language != "rust" or not HIDDEN.match(line):
                turned.append(line)
            if mark and mark.group(2) == fence:
                fence = None
        else:
            text.append(line)
    end_of_text()
    return "".join(turned)


def source_of(page):
    """Where a page of the site is in the repository."""
    named = {site: source for source, site in PAGES.items() if site.startswith("project/")}
    return named.get(page, "docs/" + page)


def turn(link, source, here, files):
    mark, text, target = link.groups()
    if re.match(r"[a-z+]+:|#|//|<", target) or source.startswith("docs/reference/typescript/"):
        return link.group(0)
    path, _, anchor = target.partition("#")
    found = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if found in PAGES:
        site = PAGES[found]
    elif found.startswith("docs/"):
        site = found[len("docs/") :]
    elif found.startswith("examples/") and (ROOT / found).suffix in LANGUAGES:
        site = found + ".md"
    elif (ROOT / found).exists() and not found.startswith(".."):
        return text  # a file of the repository that the site does not have
    else:
        return link.group(0)
    if files.get_file_from_path(site) is None:
        return link.group(0)
    moved = posixpath.relpath(site, posixpath.dirname(here) or ".")
    return f"{mark}[{text}]({moved}{'#' + anchor if anchor else ''})"


def on_post_page(output, page, config):
    """Names what the theme leaves without a name for those who hear the page."""
    return output.replace(
        'data-md-component="search" role="dialog"',
        'data-md-component="search" role="dialog" aria-label="Search"',
    )
