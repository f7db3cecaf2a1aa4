import { roomAddress } from './address';
import { Config } from './config';
import { complain, reasonOf, warn } from './log';
import { wait } from './time';

/* One question; the server may make the chat meanwhile. Milliseconds. */
const PATIENCE = 8000;
/* A longer answer is not the module's; bytes. */
const ANSWER_MAX = 16384;
/* Where there is no chat now: events of the meeting may reach the module later than we do. Milliseconds. */
const PAUSES = [3000, 6000, 12000];
/* Where the module says that it needs time: how often, and for how long unless it says so. Milliseconds. */
const BUSY_MAX = 10;
const BUSY_PAUSE = 2000;
const BUSY_PAUSE_MIN = 500;
const BUSY_PAUSE_MAX = 15000;

interface Answer {
    status: number;
    /* Milliseconds; only where the server has told, and the browser tells us. */
    pause?: number;
    body: string;
}

async function readBody(response: Response): Promise<string> {
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    let text = '';
    for (let length = 0; reader;) {
        const { done, value } = await reader.read();
        if (done) {
            break;
        }
        length += value.byteLength;
        if (length > ANSWER_MAX) {
            void reader.cancel();
            throw new Error(`the answer is longer than ${ANSWER_MAX} bytes`);
        }
        text += decoder.decode(value, { stream: true });
    }
    return text;
}

function pauseIn(response: Response): number | undefined {
    const seconds = Number(response.headers.get('Retry-After') ?? NaN);
    return seconds >= 0 ? Math.min(Math.max(seconds * 1000, BUSY_PAUSE_MIN), BUSY_PAUSE_MAX) : undefined;
}

async function ask(address: string, given: AbortSignal): Promise<Answer> {
    const deadline = new AbortController();
    const stop = (): void => deadline.abort();
    const timer = setTimeout(stop, PATIENCE);
    given.addEventListener('abort', stop);
    try {
        const response = await fetch(address, {
            headers: { Accept: 'application/json' },
            credentials: 'same-origin', cache: 'no-store', redirect: 'error', signal: deadline.signal,
        });
        return { status: response.status, pause: pauseIn(response), body: await readBody(response) };
    } finally {
        clearTimeout(timer);
        given.removeEventListener('abort', stop);
    }
}

/* No answer at all is like an answer that there is nothing now. */
async function askSafely(address: string, signal: AbortSignal): Promise<Answer> {
    try {
        return await ask(address, signal);
    } catch (error) {
        if (!signal.aborted) {
            warn(`${address} cannot be asked:`, reasonOf(error));
        }
        return { status: 0, body: '' };
    }
}

function roomIn(answer: Answer, origin: string): string | undefined {
    let room: string | undefined;
    try {
        room = roomAddress((JSON.parse(answer.body) as { url?: unknown } | null)?.url, origin);
    } catch {
        // What is no JSON has no room either.
    }
    if (!room) {
        complain(`the endpoint's answer is no room of ${origin}:`, answer.body.slice(0, 200));
    }
    return room;
}

function questionFor(endpoint: string, alias: string): string | undefined {
    try {
        return `${endpoint}?alias=${encodeURIComponent(alias)}`;
    } catch {
        complain('the alias of this meeting is no text that could be sent');
        return undefined;
    }
}

/*
 * Asks for the chat of the meeting with this alias, as often and as long as there is hope; undefined where it has
 * none, or nobody wants to know any longer.
 */
export async function findRoom(config: Config, alias: string, signal: AbortSignal): Promise<string | undefined> {
    const question = config.endpoint && questionFor(config.endpoint, alias);
    const pauses = [...PAUSES];
    for (let busy = 0; question && !signal.aborted;) {
        const answer = await askSafely(question, signal);
        if (answer.status === 200) {
            return roomIn(answer, config.origin);
        }
        let pause: number | undefined;
        if (answer.status === 503 || answer.status === 429) {
            busy += 1;
            pause = busy < BUSY_MAX ? answer.pause ?? BUSY_PAUSE : undefined;
        } else if ([0, 204, 404].includes(answer.status) || answer.status >= 500) {
            pause = pauses.shift();
        }
        if (pause === undefined) {
            warn(`no chat for this meeting, the endpoint's last answer: ${answer.status || 'none'}`);
            break;
        }
        await wait(pause, signal);
    }
    return undefined;
}
