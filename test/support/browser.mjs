/*
 * Drives Chromium for browser.py, which starts this with the folder of the npm packages and its settings: one order
 * comes in as a line of JSON, one answer goes out.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [packages, settings] = process.argv.slice(2);
const { executable, resolver, timeout } = JSON.parse(settings);
const { chromium } = createRequire(join(packages, 'package.json'))('playwright-core');

const browser = await chromium.launch({ executablePath: executable, args: [`--host-resolver-rules=${resolver}`], timeout });
const visits = [];

/* Headers as they were sent; the page may be gone before the browser can tell them. */
async function describe(request) {
    const at = Date.now();
    const headers = await request.allHeaders().catch(() => request.headers());
    return { at, method: request.method(), url: request.url(), type: request.resourceType(), headers, body: request.postData() };
}

function watch(context) {
    const seen = { requests: [], console: [], errors: [], dialogs: [] };
    context.on('request', (request) => seen.requests.push(describe(request)));
    context.on('console', (message) => seen.console.push({ type: message.type(), text: message.text() }));
    context.on('weberror', (thrown) => seen.errors.push(String(thrown.error())));
    context.on('dialog', (dialog) => {
        seen.dialogs.push(dialog.message());
        dialog.dismiss();
    });
    return seen;
}

function targetOf({ visit, frame, selector, context }) {
    const { page } = visits[visit];
    if (context) {
        return page.context();
    }
    const target = frame ? page.frames().find((each) => each !== page.mainFrame() && each.url().includes(frame)) : page;
    if (!target) {
        throw new Error(`no frame shows ${frame}, but ${page.frames().map((each) => each.url()).join(' ')}`);
    }
    return selector ? target.locator(selector) : target;
}

/* What can be told as JSON. */
function plain(value) {
    return typeof value?.allHeaders === 'function'
        ? { status: value.status(), url: value.url(), headers: value.headers() } : value ?? null;
}

const orders = {
    version: () => browser.version(),
    async open({ options }) {
        const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
        context.setDefaultTimeout(timeout);
        const seen = watch(context);
        return visits.push({ seen, page: await context.newPage() }) - 1;
    },
    async call({ method, args, ...where }) {
        const path = method.split('.');
        const owner = path.slice(0, -1).reduce((object, name) => object[name], targetOf(where));
        return plain(await owner[path.at(-1)](...args));
    },
    async seen({ visit }) {
        const { requests, ...rest } = visits[visit].seen;
        return { ...rest, requests: await Promise.all(requests) };
    },
    url: ({ visit }) => visits[visit].page.url(),
    frames: ({ visit }) => visits[visit].page.frames().slice(1).map((frame) => frame.url()),
    close: ({ visit }) => visits[visit].page.context().close().then(() => null),
};

for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    let answer;
    try {
        answer = { value: await orders[order.do](order) };
    } catch (error) {
        answer = { error: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
