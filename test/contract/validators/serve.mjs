/*
 * Judges requests by the validators that Rocket.Chat itself has published, of every version that was
 * bundled into the folder named by the argument.
 *
 *     {"name": "isChatSendMessageProps", "body": {...}}
 *     {"6.13.1": true, "7.13.9": "message: must have required property 'rid'", "8.8.1": null}
 *
 * One line in, one line out; null where that version has no such validator.
 */

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

// The validators' own remarks must not get between the answers.
console.log = console.info = console.warn;

const folder = resolve(process.argv[2]);
const load = createRequire(import.meta.url);
const versions = readdirSync(folder)
    .filter((file) => file.endsWith('.cjs'))
    .map((file) => [file.slice(0, -'.cjs'.length), load(join(folder, file))]);

function describe(error) {
    const place = error.instancePath.slice(1).replaceAll('/', '.');
    const property = error.params?.additionalProperty;
    return `${place ? `${place}: ` : ''}${error.message}${property ? ` (${property})` : ''}`;
}

function judge(validator, body) {
    if (typeof validator !== 'function') {
        return null;
    }
    // Validators that convert types write into what they are given.
    if (validator(structuredClone(body))) {
        return true;
    }
    return (validator.errors ?? []).map(describe).join('; ') || 'refused without a reason';
}

for await (const line of createInterface({ input: process.stdin })) {
    const { name, body } = JSON.parse(line);
    const verdicts = versions.map(([version, schemas]) => [version, judge(schemas[name], body)]);
    process.stdout.write(`${JSON.stringify(Object.fromEntries(verdicts))}\n`);
}
