"""The check of the documentation's site finds what is wrong with one, and nothing in one that is right."""

import importlib.util

import pytest
from conftest import ROOT


def check(site):
    spec = importlib.util.spec_from_file_location("check", ROOT / "tools/site/check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check(site)


@pytest.fixture
def site(tmp_path):
    def make(body, **others):
        pages = {"index.html": body, "other.html": "<h1 id='top'>Other</h1>", "a.css": "a { color: red }"}
        for name, text in {**pages, **others}.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return make


def test_a_site_that_is_right(site):
    wrong, external = check(
        site(
            "<link rel=stylesheet href=a.css><a href=other.html#top>o</a><a href='#here'>h</a><i id=here></i>"
            "<a href=https://example.com/x>elsewhere</a>"
        )
    )
    assert not wrong
    assert external == {"https://example.com/x"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<a href=none.html>x</a>", "no none.html"),
        ("<a href=other.html#bottom>x</a>", "no #bottom"),
        ("<a href='#gone'>x</a>", "no #gone"),
        ("<img src=picture.png>", "no picture.png"),
        ("<a href=http://example.com>x</a>", "not an https address"),
        ("<a href=https://exa_mple>x</a>", "not an https address"),
        ("<a href='javascript:alert(1)'>x</a>", "a script as a link"),
        ("<script src=https://cdn.example.com/x.js></script>", "loads https://cdn.example.com/x.js"),
        ("<link rel=stylesheet href=//fonts.example.com/a>", "loads //fonts.example.com/a"),
        ("<link rel=preconnect href=https://fonts.example.com>", "loads https://fonts.example.com"),
        (
            "<style>@import 'https://fonts.example.com/a.css';</style>",
            "loads https://fonts.example.com/a.css",
        ),
        ("<p style='background: url(https://example.com/p.png)'></p>", "loads https://example.com/p.png"),
        ("<img srcset='https://example.com/p.png 2x'>", "loads https://example.com/p.png"),
    ],
)
def test_what_is_wrong_is_found(site, body, said):
    wrong, _ = check(site(body))
    assert len(wrong) == 1 and said in wrong[0], wrong


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.css", "@import url(https://example.com/a.css);"), ("b.js", "fetch('https://example.com/x')")],
)
def test_a_stylesheet_and_a_script_load_nothing_from_elsewhere(site, name, text):
    wrong, _ = check(site("<p>", **{name: text}))
    assert len(wrong) == 1 and "loads https://example.com" in wrong[0], wrong


def test_a_site_without_pages_is_none(tmp_path):
    assert check(tmp_path)[0] == ["the site has no pages"]
