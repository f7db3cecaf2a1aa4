"""Reads a page of ours the strict way: what a browser would mend, a test should not.

    page = Page(answer.text)        # AssertionError where it is not well-formed or not accessible
    page.text_of("verdict")         # of an id
    page.forms, page.links, page.ids
"""

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}
INLINE = {"span", "bdi", "q", "code", "strong", "time", "a"}
HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4}
# What may stand directly below what.
CHILDREN = {"ul": {"li"}, "ol": {"li"}, "dl": {"dt", "dd", "div"}, "table": {"caption", "thead", "tbody"}, "thead": {"tr"},
            "tbody": {"tr"}, "tr": {"th", "td"}}
PARENTS = {"li": {"ul", "ol"}, "dt": {"dl", "div"}, "dd": {"dl", "div"}, "caption": {"table"}, "main": {"body"}}
# Code and styles stand in elements with a nonce only.
ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "srcset"}


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children = []
        self.words = []

    def __iter__(self):
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    @property
    def text(self):
        """As it is read out: what begins a line or a cell is a word of its own."""
        return " ".join("".join(child if isinstance(child, str) else f" {child.text} " if child.tag not in INLINE else child.text
                                for child in self.children).split())

    def all(self, tag):
        return [each for each in self if each.tag == tag]


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        assert text.startswith("<!DOCTYPE html>\n")
        self.root = self.at = Element("#root", {}, None)
        self.feed(text)
        self.close()
        assert self.at is self.root, f"<{self.at.tag}> is never closed"
        self.elements = list(self.root)[1:]
        self.ids = {}
        for element in self.elements:
            name = element.attributes.get("id")
            assert name is None or name not in self.ids, f"two elements are called {name}"
            if name:
                self.ids[name] = element
        self._check_structure()
        self._check_nothing_foreign()
        self._check_names()

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"<{tag}> says something twice: {attributes}"
        element = Element(tag, dict(attributes), self.at)
        self.at.children.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag, attributes):
        raise AssertionError(f"<{tag}/> closes itself")

    def handle_endtag(self, tag):
        assert self.at.tag == tag, f"</{tag}> closes <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.children.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def all(self, tag):
        return self.root.all(tag)

    def text_of(self, name):
        return self.ids[name].text

    @property
    def text(self):
        return self.all("body")[0].text

    def _check_structure(self):
        assert self.all("html")[0].attributes.get("lang")
        assert len(self.all("main")) == len(self.all("h1")) == len(self.all("title")) == 1
        for element in self.elements:
            kinds = {child.tag for child in element.children if isinstance(child, Element)}
            assert not element.tag in CHILDREN or kinds <= CHILDREN[element.tag], f"<{element.tag}> has {kinds}"
            assert element.tag not in PARENTS or element.parent.tag in PARENTS[element.tag], f"<{element.tag}> in <{element.parent.tag}>"
            if element.tag == "table":
                assert element.all("caption"), "a table without a caption"
            if element.tag == "th":
                assert element.attributes.get("scope") in ("col", "row")
        levels = [HEADINGS[each.tag] for each in self.elements if each.tag in HEADINGS]
        assert levels[0] == 1 and all(after - before <= 1 for before, after in zip(levels, levels[1:])), levels

    def _check_nothing_foreign(self):
        for element in self.elements:
            for name, value in element.attributes.items():
                assert not name.startswith("on") and name != "style", f"{name} in <{element.tag}>"
                assert name not in ADDRESSES or value.startswith("/") and not value.startswith("//") or value[1:] in self.ids, f"{name}={value}"
            if element.tag in ("script", "style"):
                assert element.attributes.get("nonce"), f"<{element.tag}> without a nonce"
                assert "src" not in element.attributes
            assert element.tag not in ("iframe", "object", "embed", "img", "link", "base", "svg")

    def _check_names(self):
        for element in self.elements:
            for name in ("aria-labelledby", "aria-describedby", "data-copy", "for"):
                for other in (element.attributes.get(name) or "").split():
                    assert other in self.ids, f"{name} of <{element.tag}> leads to {other}, which is not there"
            if element.tag == "button":
                assert element.text and element.attributes.get("type") in ("button", "submit")
            if element.tag in ("nav", "section"):
                assert element.attributes.get("aria-label") or element.attributes.get("aria-labelledby")
            if element.tag == "form":
                assert element.attributes.get("method") == "post"
        assert len([each for each in self.elements if "aria-live" in each.attributes]) <= 1
