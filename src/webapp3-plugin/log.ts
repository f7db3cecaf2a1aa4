import { setLogger } from '@pexip/plugin-api';

const MARK = '[rc-chat]';

export function warn(...what: unknown[]): void {
    console.warn(MARK, ...what);
}

export function complain(...what: unknown[]): void {
    console.error(MARK, ...what);
}

/* The text of whatever was thrown; the library throws objects with a reason. */
export function reasonOf(error: unknown): string {
    const { message, reason } = (error ?? {}) as { message?: unknown; reason?: unknown };
    return String(message ?? reason ?? error);
}

type Logger = Parameters<typeof setLogger>[0];

/* The library writes every message into the console, and addresses of rooms with them. */
export function quieten(): void {
    const nothing = (): void => undefined;
    // Which members there must be differs between versions of the library.
    const logger: Logger & { addRedactPattern(): void } = {
        trace: nothing, debug: nothing, info: nothing, silent: nothing, addRedactPattern: nothing,
        warn: (_meta, message) => warn(message),
        error: (_meta, message) => complain(message),
        fatal: (_meta, message) => complain(message),
        redact: (text) => text,
    };
    setLogger(logger);
}
