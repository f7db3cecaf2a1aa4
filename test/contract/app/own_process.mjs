/*
 * Starts an app as the Apps-Engine does since it gives each app a process of its own: all files become one,
 * a few modules may be asked for, and who calls a provider leaves out what is missing. Here it is only
 * another function in this process; what the app may see is the same.
 */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const NATIVE = [
    'path', 'url', 'crypto', 'buffer', 'stream', 'net', 'http', 'https', 'zlib', 'util', 'punycode', 'os', 'querystring', 'fs',
];
const SEVERITIES = { debug: 'debug', info: 'info', log: 'log', warn: 'warning', error: 'error', success: 'success' };

/* The files of a package are named without folders in front, and import each other without endings. */
function filesOf(files) {
    return {
        name: 'files-of-the-package',
        setup(build) {
            build.onResolve({ filter: /^\./ }, ({ importer, path }) => {
                const file = `${join(dirname(importer), path)}.js`;
                return files[file] ? { path: file, namespace: 'package' } : { errors: [{ text: `there is no ${file}` }] };
            });
            build.onResolve({ filter: /^[^.]/ }, ({ path }) => ({ path, external: true }));
            build.onLoad({ filter: /.*/, namespace: 'package' }, ({ path }) => ({ contents: files[path] }));
        },
    };
}

async function bundle(packages, files, { classFile }) {
    const esbuild = createRequire(join(packages, '..', 'esbuild', 'package.json'))('esbuild');
    const built = await esbuild.build({
        bundle: true, minify: true, write: false, platform: 'node', target: ['node10'],
        stdin: { contents: files[classFile], sourcefile: classFile, loader: 'js' },
        plugins: [filesOf(files)],
    });
    return built.outputFiles[0].text;
}

function allowed(packages) {
    const load = createRequire(join(packages, 'package.json'));
    return (module) => {
        if (!NATIVE.includes(module) && !module.startsWith('@rocket.chat/apps-engine')) {
            throw new Error(`the app may not have ${module}`);
        }
        return load(module);
    };
}

async function run(code, load) {
    const module = { exports: {} };
    const hidden = ['globalThis', 'Deno', 'process'];
    const AsyncFunction = (async () => {}).constructor;
    await new AsyncFunction('exports', 'module', 'require', 'Buffer', 'console', ...hidden, code)(
        module.exports, module, load, Buffer, {});
    return Object.values(module.exports)[0];
}

function loggerInto(logs) {
    return Object.fromEntries(Object.entries(SEVERITIES).map(([method, severity]) => [method, (...args) => {
        logs.push({ method: 'own process', severity, args: JSON.parse(JSON.stringify(args)) });
    }]));
}

/* What the app offers to Rocket.Chat while it is set up. */
function collector(provided) {
    return {
        settings: { provideSetting: async (setting) => provided.settings.push(setting) },
        videoConfProviders: { provideVideoConfProvider: async (provider) => provided.providers.push(provider) },
        slashCommands: { provideSlashCommand: async (command) => provided.commands.push(command) },
        api: { provideApi: async (api) => provided.endpoints.push(...api.endpoints) },
    };
}

export async function startInOwnProcess(packages, files, info, accessors, logs) {
    const AppClass = await run(await bundle(packages, files, info), allowed(packages));
    const logger = loggerInto(logs);
    const app = new AppClass(info, logger, {});
    const provided = { settings: [], providers: [], commands: [], endpoints: [] };
    await app.extendConfiguration(collector(provided));
    const { providers: [provider], commands: [command] } = provided;

    return {
        provided: {
            settings: provided.settings.map(({ id }) => id), providers: provided.providers.map(({ name }) => name),
            commands: [command.command], endpoints: provided.endpoints.map(({ path }) => path),
        },
        provider: async (hook, given) => provider[hook](...given.filter(Boolean), ...accessors),
        command: async (context) => command.executor(context, ...accessors),
        request: async (path, request) => {
            const endpoint = provided.endpoints.find((candidate) => candidate.path === path);
            logger.debug(`${path}'s ${request.method} is being executed...`, request);
            return endpoint[request.method](request, {}, ...accessors);
        },
    };
}
