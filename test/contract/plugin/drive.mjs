/*
 * Runs plugins without a browser, each in a context of its own beside a web app (webapp3.mjs) and with a clock that
 * only moves when it is told to. Orders and answers are lines of JSON, see test/support/plugin_host.py.
 */

import { webcrypto as crypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createContext, runInContext } from 'node:vm';

import { WebApp } from './webapp3.mjs';

/* More than any chain of promises, messages and streams has between two moments of the clock. */
const TURNS = 60;

async function settle() {
    for (let turn = 0; turn < TURNS; turn += 1) {
        await new Promise(setImmediate);
    }
}

class Clock {
    now = 0;
    timers = new Map();
    count = 0;

    set(call, milliseconds = 0) {
        this.count += 1;
        this.timers.set(this.count, { at: this.now + milliseconds, call });
        return this.count;
    }

    clear(timer) {
        this.timers.delete(timer);
    }

    async advance(milliseconds) {
        const end = this.now + milliseconds;
        for (;;) {
            await settle();
            const [due] = [...this.timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
            if (!due) {
                break;
            }
            const [timer, { at, call }] = due;
            this.timers.delete(timer);
            this.now = at;
            call();
        }
        this.now = end;
    }
}

/* What the plugin's servers answer, in that order and the last one for ever. */
class Servers {
    asked = [];

    constructor(clock, config, answers) {
        Object.assign(this, { clock, config, answers });
    }

    fetch(address, options = {}) {
        if (address === './config.json') {
            return this.respond(this.config, options);
        }
        const { signal, ...rest } = options;
        this.asked.push({ address, at: this.clock.now, options: rest });
        return this.respond(this.answers.length > 1 ? this.answers.shift() : this.answers[0], options);
    }

    respond({ status = 200, headers = {}, body = '', repeat = 1, delay = 0, error }, { signal }) {
        return new Promise((resolve, reject) => {
            const timer = this.clock.set(() => {
                const content = status === 204 ? null : body.repeat(repeat);
                return error ? reject(new TypeError(error)) : resolve(new Response(content, { status, headers }));
            }, delay);
            signal?.addEventListener('abort', () => {
                this.clock.clear(timer);
                reject(new DOMException('aborted', 'AbortError'));
            });
        });
    }
}

function recorder(lines) {
    return Object.fromEntries(['debug', 'info', 'log', 'warn', 'error'].map((level) => [
        level, (...words) => lines.push({ level, text: words.map(String).join(' ') }),
    ]));
}

class Run {
    lines = [];
    clock = new Clock();
    observers = new Set();
    appEvents = new EventTarget();
    ears = new EventTarget();

    constructor(script, { search = '', hash = '', opaque, languages = ['en-GB'], config, answers = [{ status: 404 }], ...app }) {
        this.servers = new Servers(this.clock, { body: typeof config === 'string' ? config : JSON.stringify(config), ...config?.answer }, answers);
        this.parent = {
            postMessage: (message) => {
                const copy = structuredClone(message);
                setImmediate(() => this.app.receive(copy));
            },
            document: this.appEvents,
            get location() {
                if (opaque) {
                    throw new DOMException('Blocked a frame with origin "null" from accessing a cross-origin frame.', 'SecurityError');
                }
                return { search, hash };
            },
        };
        const { clock, parent, servers } = this;
        const window = {
            AbortController, EventTarget, TextDecoder, URL, URLSearchParams, crypto, parent,
            addEventListener: (...given) => this.ears.addEventListener(...given),
            removeEventListener: (...given) => this.ears.removeEventListener(...given),
            clearTimeout: (timer) => clock.clear(timer),
            console: recorder(this.lines),
            document: { baseURI: 'https://meet.example.com/webapp3/branding/plugins/rc-chat/index.html', createElement: () => this.makeFrame() },
            fetch: (...given) => servers.fetch(...given),
            MutationObserver: this.observerClass(),
            navigator: { languages },
            open: () => null,
            setTimeout: (...given) => clock.set(...given),
        };
        this.window = window.window = window;
        this.app = new WebApp({
            id: 'rc-chat', ...app,
            pluginWindow: () => window,
            changed: () => this.observers.forEach((observer) => observer()),
            post: (message) => this.post(message, parent),
        });
        createContext(window);
        runInContext(readFileSync(script, 'utf8'), window);
    }

    post(message, source) {
        const data = structuredClone(message);
        setImmediate(() => this.ears.dispatchEvent(Object.assign(new Event('message'), { source, data })));
    }

    makeFrame() {
        const run = this;
        return {
            remove() {
                run.app.frame = undefined;
            },
            get isConnected() {
                return run.app.frame === this;
            },
        };
    }

    observerClass() {
        const { observers } = this;
        return class {
            constructor(call) {
                this.call = () => setImmediate(call);
            }

            observe() {
                observers.add(this.call);
            }

            disconnect() {
                observers.delete(this.call);
            }
        };
    }

    state() {
        const { messages, complaints, toasts, buttons, widgets, frame } = this.app;
        return {
            messages, complaints, toasts, buttons: [...buttons.values()], widgets: [...widgets.values()],
            frame: frame ? { src: frame.src, title: frame.title } : null,
            asked: this.servers.asked, lines: this.lines, timers: this.clock.timers.size,
        };
    }
}

let run;
const orders = {
    start: ({ script, options }) => {
        run = new Run(script, options);
    },
    advance: ({ milliseconds }) => run.clock.advance(milliseconds),
    emit: ({ event, payload }) => run.app.emit(event, payload),
    post: ({ message, stranger }) => run.post(message, stranger ? {} : run.parent),
    click: () => run.app.click(),
    release: () => run.app.release(),
    other: () => run.app.openOtherPanel(),
    violation: ({ members }) => run.appEvents.dispatchEvent(Object.assign(new Event('securitypolicyviolation'), members)),
};

/* Nothing that a plugin leaves unhandled may go unnoticed. */
const failures = [];
process.on('unhandledRejection', (reason) => failures.push(String(reason?.stack ?? reason)));
process.on('uncaughtException', (reason) => failures.push(String(reason?.stack ?? reason)));

for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    let error;
    try {
        await orders[order.do](order);
        await settle();
    } catch (thrown) {
        error = String(thrown.stack);
    }
    process.stdout.write(`${JSON.stringify({ error, failures: failures.splice(0), state: run?.state() })}\n`);
}
