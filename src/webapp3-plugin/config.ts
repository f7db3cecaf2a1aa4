import { parseUrl } from './address';

/* Hosts of this kind stand in the package until somebody writes the real ones. */
const PLACEHOLDER = '.invalid';

export interface Config {
    /* Of the Rocket.Chat workspace, as browsers write it. */
    origin: string;
    /* Where the chat of an alias is asked for; undefined: nowhere, only links with `rid` have a chat. */
    endpoint?: string;
}

type Members = Record<string, unknown>;

function checked(name: string, value: unknown, base?: string): URL {
    const url = typeof value === 'string' ? parseUrl(value, base) : undefined;
    if (!url || url.protocol !== 'https:' || url.username || url.password || url.search || url.hash) {
        throw new Error(`config.json: ${name} must be an https address, not ${JSON.stringify(value)}`);
    }
    if (url.hostname.endsWith(PLACEHOLDER)) {
        throw new Error(`config.json: ${name} is still the placeholder ${String(value)}`);
    }
    return url;
}

/* What the members mean; throws an Error that tells the administrator what is wrong. */
export function readConfig(members: unknown, page: string): Config {
    const { rcOrigin, endpoint } = (members ?? {}) as Members;
    const origin = checked('rcOrigin', rcOrigin);
    if (origin.pathname !== '/') {
        throw new Error(`config.json: rcOrigin must be without a path, not ${JSON.stringify(rcOrigin)}`);
    }
    return {
        origin: origin.origin,
        endpoint: endpoint === undefined || endpoint === null ? undefined : checked('endpoint', endpoint, page).href,
    };
}

/* The file beside the plugin's page, which may have been edited since the last call. */
export async function loadConfig(): Promise<Config> {
    const response = await fetch('./config.json', { cache: 'no-cache' });
    if (!response.ok) {
        throw new Error(`config.json: the server answers with ${response.status}`);
    }
    return readConfig(await response.json(), document.baseURI);
}
