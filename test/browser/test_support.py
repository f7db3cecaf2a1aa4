"""Whether the other tests would see what they look for: a page with every fault."""

import pytest
from browser import Browser, BrowserError
from looks import OVERFLOW, check_looks, check_structure, contrast, too_faint
from web import Web

GOOD, BAD, OTHER = "good.example", "bad.example", "other.example"
PAGE = "<!DOCTYPE html><html lang=en><title>Page</title><link rel=icon href=data:,>"
FAULTS = """<body style="background: #fff; color: #777"><main><h1>One</h1><h3>Three</h3><button></button><p>Grey on white</p>
<p style="color: #000; opacity: .3">Transparent</p><p style="color: #fff; visibility: hidden">Hidden</p>
<div style="background: #000; color: #333">Dark on dark</div><p style="white-space: nowrap">{}</p></main>
<script>alert('dialog'); console.error('error');</script><script>throw new Error('thrown');</script>
<script src="https://other.example/x.js"></script>""".format("wide " * 100)


@pytest.fixture(scope="module")
def web():
    with Web(GOOD, BAD, OTHER) as running:
        running.page(BAD, "/", PAGE + FAULTS, {"Content-Security-Policy": f"script-src 'unsafe-inline' https://{BAD}"})
        running.page(GOOD, "/", PAGE + "<main><h1>Page</h1><p>Text</p><button aria-label=Go>&gt;</button></main>")
        yield running


@pytest.fixture(scope="module")
def browser(web):
    with Browser(web.hosts) as running:
        yield running


def test_a_bad_page_is_seen_to_be_one(browser):
    page = browser.open(f"https://{BAD}/", width=360)
    seen = page.seen()
    assert seen.dialogs == ["dialog"]
    assert [each for each in seen.errors if "thrown" in each]
    assert [each for each in seen.complaints if "Content Security Policy" in each] and "error" in seen.complaints
    assert seen.hosts() == {BAD, OTHER}
    faint = dict(too_faint(page))
    assert faint.keys() >= {"Grey on white", "Transparent", "Dark on dark"} and "Hidden" not in faint
    assert faint["Grey on white"] == 4.48
    assert page.evaluate(OVERFLOW)
    with pytest.raises(AssertionError):
        check_structure(page)


def test_a_good_page_is_good(browser):
    page = browser.open(f"https://{GOOD}/", width=360)
    check_looks(page, None, narrow=True)
    assert page.seen().complaints == [] and page.seen().hosts() == {GOOD}


def test_pages_share_nothing(browser):
    for _ in range(2):
        page = browser.open(f"https://{GOOD}/")
        assert page.evaluate("() => [localStorage.length, document.cookie]") == [0, ""]
        page.evaluate("() => { localStorage.x = 'y'; document.cookie = 'x=y'; }")


def test_names_that_are_not_given_lead_nowhere(browser):
    with pytest.raises(BrowserError, match="ERR_NAME_NOT_RESOLVED"):
        browser.open("https://www.example.com/")


def test_contrast_is_that_of_wcag():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.478, abs=0.001)
