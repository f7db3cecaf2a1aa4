"""The text of a Content-Security-Policy: sources are added, everything else stays as it is, byte for byte."""

FALLBACKS = {"frame-src": ("child-src", "default-src")}


def _find(directives, name):
    """Where the directive stands; a second one of the same name is ignored by browsers."""
    for index, directive in enumerate(directives):
        words = directive.split()
        if words and words[0].lower() == name:
            return index
    return None


def _sources(directives, name):
    index = _find(directives, name)
    return None if index is None else directives[index].split()[1:]


def _is_none(sources):
    return [each.lower() for each in sources] == ["'none'"]


def allows(sources, origin):
    return any(each == "*" or each.lower().rstrip("/") == origin.lower() for each in sources)


def _added(directives, name, origin):
    index = _find(directives, name)
    if index is not None:
        sources = _sources(directives, name)
        if allows(sources, origin):
            return directives
        old = directives[index].rstrip()
        kept = old[:len(old) - len(old.split()[-1])].rstrip() if _is_none(sources) else old
        return [*directives[:index], f"{kept} {origin}", *directives[index + 1:]]
    for fallback in FALLBACKS.get(name, ()):
        sources = _sources(directives, fallback)
        if sources is not None:
            if allows(sources, origin):
                return directives
            kept = [] if _is_none(sources) else sources
            while directives and not directives[-1].strip():
                directives = directives[:-1]
            return [*directives, " " + " ".join([name, *kept, origin])]
    return directives       # nothing restricts it


def allow(text, origin, names):
    """The policy with the origin added to these directives. One that restricts nothing is not made to restrict something.
    A comma divides policies that are all enforced."""
    policies = []
    for policy in text.split(","):
        directives = policy.split(";")
        for name in names:
            directives = _added(directives, name, origin)
        policies.append(";".join(directives))
    return ",".join(policies)


def admits(text, origin, name):
    """Whether a browser that got this text would let the origin pass."""
    for policy in text.split(","):
        directives = policy.split(";")
        for each in (name, *FALLBACKS.get(name, ())):
            sources = _sources(directives, each)
            if sources is not None:
                if not allows(sources, origin):
                    return False
                break
    return True
