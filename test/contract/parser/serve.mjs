// Parses each line of its input, a text as JSON, as Rocket.Chat does, with every version of the
// parser that was bundled into the given folder, both with everything switched on and with nothing.
// Answers with one line, an object of trees.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const folder = resolve(process.argv[2]);
const load = createRequire(import.meta.url);
const everything = {
    emoticons: true,
    colors: true,
    katex: { dollarSyntax: true, parenthesisSyntax: true },
    customDomains: ['local', 'intra'],
};
const parsers = readdirSync(folder)
    .map((file) => [file.slice(0, -'.cjs'.length), load(join(folder, file))])
    .map(([name, parser]) => [name, parser.parse ?? parser.parser]);

for await (const line of createInterface({ input: process.stdin })) {
    const text = JSON.parse(line);
    const trees = {};
    for (const [name, parse] of parsers) {
        trees[`${name}, everything on`] = parse(text, everything);
        trees[`${name}, everything off`] = parse(text, {});
    }
    process.stdout.write(`${JSON.stringify(trees)}\n`);
}
