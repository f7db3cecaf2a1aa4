"""What people write into titles and names stays plain text in the eyes of Rocket.Chat's own message parsers."""

import ctypes
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PARSERS = TOP / "build" / "npm" / "parser" / "bundles"
VERSIONS = ("0.31.1", "0.31.16", "0.31.24", "0.31.36", "0.32.0")
SITE, MEETING, JOIN = "https://chat.example.com", "AbCdEfGh1234567890zz", "https://chat.example.com/pexip/join/k"
LINK = (f"{SITE}/conference/{MEETING}?callUrl=https%3A%2F%2Fchat.example.com%2Fpexip%2Fjoin%2Fk%3Fx%3D1"
        "&callProvider=Pexip")
OPEN, LIVE, ENDED = 1, 2, 3

TITLES = [
    "@all", "hi @here!", "@nina", "a@b.com", "<@all>", ">@all", "x\n@all", "\ufeff@all", "#general", "@nina:matrix.org",
    "*bold*", "_italic_", "__x__", "~~gone~~", "~gone~", "`code`", "```\nblock\n```", "||spoiler||", "***", "---", "___",
    "# heading", "> quote", ">quote", "- item", "* item", "1. item", "- [ ] task", "- [x] task",
    "[label](https://evil.com)", "![image](https://evil.com/x.png)", "[ ](https://evil.com)",
    "<https://evil.com|label>", "https://evil.com/?a=b#c", "http://1.2.3.4", "ftp://evil.com", "www.evil.com",
    "evil.com", "evil.com/path?x", "//evil.com", "evil\u3002com", "evil\uff0ecom", "пример.рф", "1.2.3.4", "[::1]", "x.intra",
    "mailto:a@b.com", "javascript:alert(1)", "data:text/html,x", "+491234567890", "tel:+49 1234",
    ":smile:", ":+1:", ":)", ":-(", "8)", "8-D", "B)", "<3", "</3", "D:", "O:)", "-_-", "=D", ";P", ">:(", "%)", "(y)", "\\o/",
    "*\\0/*", "$x$", "$$x$$", "a $ b, a $ c", "\\(x\\)", "\\[x\\]", "\\*x\\*", "\\", "color:#fff", "#ff0000",
    "<t:1630360800:R>", "<b>x</b>", "<script>alert(1)</script>", "&lt;", "&#64;all",
    "\u202edrow", "\u2066x\u2069", "a\u200b@all", "Weekly (Room 5), 10:30 - 11:00: \"Plans & more\", 50% [draft] v1.2!",
    "\U0001f600", "\U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea", "日本語の会議", "اجتماع",
]


class Chat(ctypes.Structure):
    _fields_ = [("id", ctypes.c_char_p), ("site_url", ctypes.c_char_p), ("join_url", ctypes.c_char_p),
                ("title", ctypes.c_char_p), ("creator", ctypes.c_char_p), ("state", ctypes.c_int),
                ("inferred", ctypes.c_bool), ("by_name", ctypes.c_bool), ("started_at", ctypes.c_int64),
                ("ended_at", ctypes.c_int64), ("people", ctypes.c_size_t), ("names", ctypes.POINTER(ctypes.c_char_p)),
                ("names_count", ctypes.c_size_t)]


class Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t), ("len", ctypes.c_size_t),
                ("overflow", ctypes.c_bool)]


class Core:
    """The functions of src/core, which need nothing but libc."""

    def __init__(self, folder):
        library = folder / "core.so"
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-std=gnu11", "-D_GNU_SOURCE", "-O1",
                        f"-I{TOP / 'include'}", "-o", library, *sorted((TOP / "src" / "core").glob("*.c"))], check=True)
        self._library = ctypes.CDLL(str(library))

    def text(self, function, *arguments):
        memory = ctypes.create_string_buffer(15001)
        buffer = Buffer(ctypes.cast(memory, ctypes.c_char_p), len(memory), 0, False)
        getattr(self._library, function)(ctypes.byref(buffer), *arguments)
        assert not buffer.overflow
        return memory.value.decode()

    def plain(self, text):
        raw = text.encode()
        return self.text("pxr_chat_put_plain", raw, ctypes.c_size_t(len(raw)), ctypes.c_size_t(5000))

    def message(self, text, state):
        raw = text.encode()
        names = (ctypes.c_char_p * 3)(raw, raw, raw)
        chat = Chat(MEETING.encode(), SITE.encode(), JOIN.encode(), raw, raw, state, False, True, 1000000, 9000000000, 5,
                    names, 3)
        return self.text("pxr_chat_put_message", ctypes.byref(chat))

    def help(self, word):
        raw = word.encode()
        return self.text("pxr_webhook_put_help", raw, ctypes.c_size_t(len(raw)))


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    return Core(tmp_path_factory.mktemp("core"))


@pytest.fixture(scope="module")
def parse():
    node = subprocess.Popen(["node", TOP / "test" / "contract" / "parser" / "serve.mjs", PARSERS], text=True, bufsize=1,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(text):
        node.stdin.write(json.dumps(text) + "\n")
        trees = json.loads(node.stdout.readline())
        assert len(trees) == 2 * len(VERSIONS)
        return trees

    yield ask
    node.stdin.close()
    node.wait(10)
    node.stdout.close()


def leaves(node):
    """Every node that is no paragraph, in order, with its text; emoji that were typed as such are text."""
    if isinstance(node, list):
        for child in node:
            yield from leaves(child)
    elif node["type"] in ("PARAGRAPH", "BIG_EMOJI"):
        yield from leaves(node["value"])
    elif node["type"] == "EMOJI" and "unicode" in node:
        yield "PLAIN_TEXT", node["unicode"]
    elif node["type"] == "LINE_BREAK":
        yield "PLAIN_TEXT", ""
    else:
        yield node["type"], node.get("value")


def shown(tree):
    """The text of a tree that is nothing but text."""
    parts = list(leaves(tree))
    assert {kind for kind, _ in parts} <= {"PLAIN_TEXT"}, parts
    return "".join(text for _, text in parts)


def together(count):
    """Titles put together from hostile ones, the same in every run."""
    dice = random.Random(5)
    pieces = [piece for title in TITLES for piece in (title, title[:2], title[-2:])] + list("*_~`$\\<>:|#+-;=@[]()!. \n")
    return ["".join(dice.choices(pieces, k=dice.randint(1, 6))) for _ in range(count)]


def check_plain(core, parse, title):
    escaped = core.plain(title)
    for text in (escaped, f"Nina started a meeting: {escaped}", f"In it: {escaped}, {escaped} and 3 others"):
        for version, tree in parse(text).items():
            assert shown(tree) == text, (version, title)


@pytest.mark.parametrize("title", TITLES)
def test_a_hostile_title_is_plain_text(core, parse, title):
    check_plain(core, parse, title)


def test_so_is_whatever_can_be_put_together_from_hostile_titles(core, parse):
    for title in together(1500):
        check_plain(core, parse, title)


def test_the_parsers_do_format_what_is_not_escaped(parse):
    for text in ("@all", "*bold*", "[label](https://evil.com)", "https://evil.com", "`code`", "hi :smile:"):
        for version, tree in parse(text).items():
            assert [kind for kind, _ in leaves(tree) if kind != "PLAIN_TEXT"], (version, text)


@pytest.mark.parametrize("state", [OPEN, LIVE, ENDED])
def test_a_message_has_one_link_and_otherwise_text(core, parse, state):
    for title in TITLES + together(400):
        message = core.message(title, state)
        for version, tree in parse(message).items():
            parts = [part for part in leaves(tree) if part[0] != "PLAIN_TEXT"]
            if state == ENDED:
                assert parts == [], (version, title)
                continue
            assert [kind for kind, _ in parts] == ["LINK"], (version, title)
            label = parts[0][1]["label"]
            assert parts[0][1]["src"]["value"] == LINK
            assert shown(label if isinstance(label, list) else [label]) == "Join the meeting"


def test_the_help_has_the_word_as_code_and_otherwise_text(core, parse):
    for word in ("!pexip", "/pexip", "call me", "*", "`", "![x](https://evil.com)", "@bot", "!>@all", "!$$x$$"):
        for version, tree in parse(core.help(word)).items():
            kinds = [kind for kind, _ in leaves(tree) if kind != "PLAIN_TEXT"]
            assert kinds == ["INLINE_CODE"] * 5, (version, word)
