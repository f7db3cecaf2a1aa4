"""What every page owes to the people who read it, whatever it says."""

# Text that is shown, with the colours that are behind it: [text, colour, background, bold, size] of each element that holds some.
COLOURS = """() => {
    const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgba = (colour) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data].map((part, index) => index === 3 ? part / 255 : part);
    };
    const over = (front, back) => [0, 1, 2].map((part) => front[part] * front[3] + back[part] * (1 - front[3])).concat(1);
    const paint = (chain, own) => chain.reduceRight(([back, , opaque], element) => {
        const style = getComputedStyle(element);
        const filled = over(rgba(style.backgroundColor), back);
        const visible = opaque * Number(style.opacity);
        return [over([...filled.slice(0, 3), visible], back), style, visible];
    }, own);
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.data.trim();
        if (!text || !element.checkVisibility({visibilityProperty: true}) || element.closest('script,style')) {
            continue;
        }
        const chain = [];
        for (let each = element; each; each = each.parentElement) {
            chain.push(each);
        }
        const canvas = rgba('Canvas');
        const [back, style, visible] = paint(chain, [canvas, null, 1]);
        const colour = rgba(style.color);
        found.push([text.slice(0, 60), over([...colour.slice(0, 3), colour[3] * visible], back).slice(0, 3), back.slice(0, 3),
                    Number(style.fontWeight) >= 700, parseFloat(style.fontSize)]);
    }
    return found;
}"""

# How wide a page is that must be moved sideways to be read, and what reaches beyond the edge.
OVERFLOW = """() => {
    const {scrollWidth, clientWidth} = document.documentElement;
    return scrollWidth <= clientWidth ? [] : [scrollWidth, ...[...document.body.querySelectorAll('*')]
        .filter((each) => each.scrollWidth > clientWidth || each.getBoundingClientRect().right > clientWidth)
        .map((each) => `${each.tagName}.${each.className}: ${each.textContent.trim().slice(0, 40)}`)];
}"""

STRUCTURE = """() => ({
    language: document.documentElement.lang, title: document.title, mains: document.querySelectorAll('main').length,
    headings: [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].filter((each) => each.checkVisibility()).map((each) => Number(each.tagName[1])),
    twice: [...document.querySelectorAll('[id]')].map((each) => each.id).filter((id, index, all) => all.indexOf(id) !== index),
    nameless: [...document.querySelectorAll('a[href],button,input:not([type=hidden]),select,textarea,summary')].filter((each) =>
        !(each.textContent.trim() || each.getAttribute('aria-label') || each.labels?.length)).map((each) => each.outerHTML),
    inline: [...document.querySelectorAll('*')].flatMap((each) => [...each.attributes]).map((each) => each.name)
        .filter((name) => name === 'style' || name.startsWith('on')),
})"""


def luminance(colour):
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """By WCAG 2: from 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def too_faint(page):
    """Texts that cannot be read well, with the contrast that they have."""
    texts = page.evaluate(COLOURS)
    assert texts, "the page shows no text"
    return [(text, round(contrast(colour, background), 2)) for text, colour, background, _, _ in texts if contrast(colour, background) < 4.5]


def check_structure(page):
    found = page.evaluate(STRUCTURE)
    assert found["language"] == "en" and found["title"] and found["mains"] == 1
    assert found["headings"][:1] == [1] and found["headings"].count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found["headings"], found["headings"][1:])), found["headings"]
    assert found["twice"] == [] and found["nameless"] == [] and found["inline"] == []


def check_looks(page, name, narrow=False):
    """Takes a picture under that name, if there is one; narrow: looks at it on a small screen as well."""
    check_structure(page)
    assert too_faint(page) == []
    for width, suffix in [(None, ""), (360, "-narrow")] if narrow else [(None, "")]:
        if width:
            page.call("setViewportSize", {"width": width, "height": 640})
        assert page.evaluate(OVERFLOW) == []
        if name:
            page.screenshot(name + suffix)
    page.call("setViewportSize", {"width": 1280, "height": 800})
