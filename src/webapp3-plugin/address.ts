/* More is no room's address; characters. */
const ADDRESS_MAX = 2048;
const ROOM = /^\/(channel|group|direct)\/[^/?#]+$/;
/* Decoded by a server these would become another path, or nothing that is a name. */
const ENCODED_RUBBISH = /%(2f|5c|7f|[01][0-9a-f])/i;

export function parseUrl(text: string, base?: string): URL | undefined {
    try {
        return new URL(text, base);
    } catch {
        return undefined;
    }
}

/*
 * The address of a room as the panel shows it, or undefined where the text is no address of a room of that
 * workspace. Whoever makes a link chooses the text, so nothing of it is taken but the room.
 */
export function roomAddress(text: unknown, origin: string): string | undefined {
    if (typeof text !== 'string' || text.length > ADDRESS_MAX || /[\s\\\p{Cc}]/u.test(text)) {
        return undefined;
    }
    const url = parseUrl(text);
    if (url?.protocol !== 'https:' || url.origin !== origin || url.username || url.password) {
        return undefined;
    }
    if (!ROOM.test(url.pathname) || ENCODED_RUBBISH.test(url.pathname)) {
        return undefined;
    }
    return `${origin}${url.pathname}?layout=embedded`;
}

/*
 * The parameter `rid` of the join link, decoded once; undefined where there is none. The web app soon takes the
 * parameters out of its address. They are in the fragment of links of the kind /#/?conference=.
 */
export function roomInLink(app: Window): string | undefined {
    const { search, hash } = app.location;
    const inFragment = hash.slice(hash.indexOf('?') + 1);
    return new URLSearchParams(search).get('rid') ?? new URLSearchParams(inFragment).get('rid') ?? undefined;
}
