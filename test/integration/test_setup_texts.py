"""What pexip-rc-setup writes into texts of others: the Content-Security-Policy and joining instructions."""

import random
import sys

import pytest
from httpd import REPOSITORY
from management import JOINING, PERSONAL
from workspace import SITE

sys.path.insert(0, str(REPOSITORY / "src" / "setup"))
sys.dont_write_bytecode = True

from pexip_rc_setup import csp, scheduler  # noqa: E402

pytestmark = pytest.mark.once

LINK = "https://go.rocket.chat/conference?host=chat.example.com&path=conference%2F{{numeric_alias}}%3FcallUrl%3Dx"


# The policy of pages

@pytest.mark.parametrize("before, after", [
    ("default-src 'self'", "default-src 'self'; frame-src 'self' {}"),
    ("default-src 'self'; ", "default-src 'self'; frame-src 'self' {}"),
    ("child-src 'none'; default-src *", "child-src 'none'; default-src *; frame-src {}"),
    ("frame-src 'none'", "frame-src {}"), ("Frame-Src 'NONE' ; x", "Frame-Src {}; x"),
    ("frame-src *; frame-ancestors *", "frame-src *; frame-ancestors *"),
    ("frame-src; frame-ancestors", "frame-src {}; frame-ancestors {}"),
    ("frame-src {}; frame-src 'none'", "frame-src {}; frame-src 'none'"),
    ("frame-ancestors 'self'", "frame-ancestors 'self' {}"), ("img-src 'self'", "img-src 'self'"),
    ("frame-src HTTPS://CHAT.example.com/", "frame-src HTTPS://CHAT.example.com/"),
    ("frame-src 'self', frame-ancestors 'none'", "frame-src 'self' {}, frame-ancestors {}"), ("", ""), (";;", ";;"),
])
def test_sources_are_added_and_the_rest_stays(before, after):
    edited = csp.allow(before.replace("{}", SITE), SITE, ("frame-src", "frame-ancestors"))
    assert edited == after.replace("{}", SITE)
    assert csp.allow(edited, SITE, ("frame-src", "frame-ancestors")) == edited


def test_what_was_edited_admits_the_workspace_whatever_it_was():
    rng = random.Random(7)
    words = ["frame-src", "frame-ancestors", "default-src", "child-src", "'none'", "'self'", "*", ";", ";", ",", " ", SITE, "FRAME-SRC"]
    names = ("frame-src", "frame-ancestors")
    for _ in range(5000):
        text = " ".join(rng.choice(words) for _ in range(rng.randrange(12)))
        edited = csp.allow(text, SITE, names)
        assert all(csp.admits(edited, SITE, name) for name in names), text
        assert csp.allow(edited, SITE, names) == edited, text
        if all(csp.admits(text, SITE, name) for name in names):
            assert edited == text


# Joining instructions

@pytest.mark.parametrize("template, at", [
    (JOINING, "here</a><br>\r\n<br>\r\n{}Telephone:"), (PERSONAL, "here</a><br>\r\n<br>\r\n{}Telephone:"),
    ("<table><tr><td><a href='x'>y</a></td></tr>\n<tr><td>z</td></tr></table>", "</tr>\n{}<tr><td>z"),
    ("Dial {{numeric_alias}}\n{{alias_uuid}}<br>\n", "\n{}{{{{alias_uuid}}}}"), ("<div>Dial</div>\n", "Dial{}</div>"),
    ("Dial", "Dial{}"), ("<table><tr><td>x</td></tr></table><a href='x'>y</a> z", "y</a>{} z"),
])
@pytest.mark.parametrize("personal", [False, True])
def test_the_link_stands_once_at_a_good_place(template, at, personal):
    once = scheduler.with_link(template, LINK, personal)
    ours = scheduler.OURS.findall(once)
    assert len(ours) == 1 and scheduler.OURS.sub("", once) == template
    assert at.format(ours[0]) in once
    assert ("{% set numeric_alias = numeric_aliases[0] %}" in ours[0]) is personal
    assert scheduler.with_link(once, LINK, personal) == once
    other = scheduler.with_link(once, "https://chat.example.com/pexip/go/{{numeric_alias}}", personal)
    assert "go.rocket.chat" not in other and scheduler.OURS.sub("", other) == template
