/*
 * Rocket.Chat's Apps-Engine with a Rocket.Chat around it that exists in memory only, driven by lines.
 *
 *     node engine.mjs <folder of npm packages> <zip of the app>
 *     {"do": "customizeUrl", "call": {...}, "user": {...}, "options": {...}}
 *     {"value": "https://..."}    or {"error": "..."}, both with the "logs" of the app
 *
 * The engine is the last one that can be had complete; it runs apps inside the server. For later ones, which
 * give each app a process of its own, own_process.mjs follows their rules: `"own_process": true`.
 */

import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { startInOwnProcess } from './own_process.mjs';

console.log = console.info = console.warn;

const [packages, zip] = process.argv.slice(2).map((path) => resolve(path));
// The engine's sandbox looks for the packages of an app below the working directory.
process.chdir(packages);
const load = createRequire(join(packages, 'package.json'));
const { AppManager } = load('@rocket.chat/apps-engine/server/AppManager');
const storages = load('@rocket.chat/apps-engine/server/storage');
const bridges = load('@rocket.chat/apps-engine/server/bridges');
const { SlashCommandContext } = load('@rocket.chat/apps-engine/definition/slashcommands');

/* What happened, and what there is. */
const world = {
    calls: new Map(), rooms: new Map(), commands: [], apis: [], providers: [], notices: [], updates: [], logs: [],
    denied: [], broken: new Set(), failing: undefined,
};

function mayFail(what) {
    if (world.broken.has(what)) {
        throw new Error(`${what} is broken`);
    }
}

class Metadata extends storages.AppMetadataStorage {
    items = new Map();
    constructor() { super('memory'); }
    async create(item) { item._id = item.id; this.items.set(item.id, item); return item; }
    async retrieveOne(id) { return this.items.get(id) ?? null; }
    async retrieveAll() { return this.items; }
    async update(item) { this.items.set(item.id, item); return item; }
    async remove(id) { return { success: this.items.delete(id) }; }
}

class Logs extends storages.AppLogStorage {
    constructor() { super('memory'); }
    async find() { return []; }
    async storeEntries(appId, logger) {
        world.logs.push(...logger.getEntries().map(({ severity, args }) => ({ method: logger.getMethod(), severity, args })));
    }
    async getEntriesFor() { return []; }
    async removeEntriesFor() {}
}

class Sources extends storages.AppSourceStorage {
    zips = new Map();
    async store(item, content) { this.zips.set(item.id, content); return item.id; }
    async fetch(item) { return this.zips.get(item.id); }
    async update(item, content) { this.zips.set(item.id, content); return item.id; }
    async remove(item) { this.zips.delete(item.id); }
}

class Commands extends bridges.CommandBridge {
    async doesCommandExist() { return false; }
    async enableCommand() {}
    async disableCommand() {}
    async modifyCommand() {}
    async registerCommand({ command, permission, i18nParamsExample, i18nDescription }) {
        world.commands.push({ command, permission, i18nParamsExample, i18nDescription });
    }
    async unregisterCommand() {}
}

class Apis extends bridges.ApiBridge {
    async registerApi(api) { world.apis.push(api.computedPath); }
    async unregisterApis() {}
}

class Calls extends bridges.VideoConferenceBridge {
    async create(call) {
        mayFail('create');
        world.calls.set('created', { ...call, _id: 'created', status: 1 });
        return 'created';
    }
    async getById(id) { mayFail('calls'); return world.calls.get(id); }
    async update(call) {
        mayFail('update');
        world.updates.push({ _id: call._id, status: call.status });
        world.calls.set(call._id, call);
    }
    async registerProvider({ name, capabilities }) { world.providers.push({ name, capabilities }); }
    async unRegisterProvider() {}
}

const PARSED = ['application/json', 'text/javascript', 'application/javascript', 'application/x-javascript'];

/* As Rocket.Chat does it: a text for the body, `data` for some content types only, an error for no answer. */
class Http extends bridges.HttpBridge {
    async call({ method, url, request }) {
        const response = await fetch(url, {
            method: method.toUpperCase(), headers: request.headers, body: request.content,
            signal: AbortSignal.timeout(request.timeout ?? 180000),
        });
        const content = await response.text();
        const type = (response.headers.get('content-type') ?? '').split(';')[0];
        let data = null;
        try {
            data = PARSED.includes(type) ? JSON.parse(content) : null;
        } catch {
            // Rocket.Chat hands over null then, too.
        }
        return { url, method, statusCode: response.status, headers: Object.fromEntries(response.headers), content, data };
    }
}

/* Everything else that a bridge can be asked is answered with nothing. */
function silent(answers = {}) {
    return new Proxy(answers, {
        get: (target, name) => target[name] ?? (name === 'then' ? undefined : async () => undefined),
    });
}

class Bridges extends bridges.AppBridges {
    command = new Commands();
    api = new Apis();
    calls = new Calls();
    http = new Http();
    keys = generateKeyPairSync('rsa', {
        modulusLength: 2048,
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });

    getCommandBridge() { return this.command; }
    getApiBridge() { return this.api; }
    getVideoConferenceBridge() { return this.calls; }
    getHttpBridge() { return this.http; }
    getInternalFederationBridge() {
        return { getPrivateKey: async () => this.keys.privateKey, getPublicKey: async () => this.keys.publicKey };
    }
    getUserBridge() {
        return silent({ doGetAppUser: async () => ({ id: 'app-user', username: 'pexip-rc.bot' }) });
    }
    getRoomBridge() {
        return silent({ doGetById: async (id) => { mayFail('rooms'); return world.rooms.get(id); } });
    }
    getMessageBridge() {
        return silent({
            doNotifyUser: async (user, message) => {
                world.notices.push({
                    user: user.id, room: message.room.id, thread: message.threadId, sender: message.sender.id, text: message.text,
                });
            },
        });
    }
}
for (const name of Object.getOwnPropertyNames(bridges.AppBridges.prototype).concat([
    'getAppDetailChangesBridge', 'getEnvironmentalVariableBridge', 'getListenerBridge', 'getLivechatBridge',
    'getPersistenceBridge', 'getAppActivationBridge', 'getInternalBridge', 'getServerSettingBridge', 'getUploadBridge',
    'getUiInteractionBridge', 'getSchedulerBridge', 'getCloudWorkspaceBridge', 'getOAuthAppsBridge',
    'getModerationBridge', 'getThreadBridge', 'getRoleBridge',
])) {
    Bridges.prototype[name] ??= () => silent();
}

const manager = new AppManager({
    metadataStorage: new Metadata(), logStorage: new Logs(), bridges: new Bridges(), sourceStorage: new Sources(),
});
const SETTINGS = manager.getSettingsManager();
const PROVIDERS = manager.getVideoConfProviderManager();
let app;

/* The permissions are those that the package itself asks for: an administrator agrees to nothing else. */
async function install() {
    const content = readFileSync(zip);
    const { info } = await manager.getParser().unpackageApp(content);
    const { permissions: permissionsGranted } = info;
    await manager.load();
    const result = await manager.add(content, { enable: true, permissionsGranted, user: { id: 'admin', username: 'admin' } });
    app = result.getApp();
    return {
        id: app.getID(), status: await app.getStatus(), compiler: result.getCompilerErrors?.() ?? [],
        error: result.hasStorageError() ? result.getStorageError() : undefined,
        info: app.getInfo(), settings: app.getStorageItem().settings, languages: app.getStorageItem().languageContent,
        commands: world.commands, apis: world.apis, providers: world.providers,
    };
}

function accessors() {
    const all = manager.getAccessorManager();
    return [all.getReader(app.getID()), all.getModifier(app.getID()), all.getHttp(app.getID()), all.getPersistence(app.getID())];
}

/* What has been installed, started once more by the rules of later engines, on the same Rocket.Chat. */
let ownProcess;
async function installInOwnProcess() {
    const { files, info } = await manager.getParser().unpackageApp(readFileSync(zip));
    ownProcess = await startInOwnProcess(packages, files, info, accessors(), world.logs);
    return ownProcess.provided;
}

function given(hook, { call, user, options }) {
    return { isFullyConfigured: [], customizeUrl: [call, user, options], getVideoConferenceInfo: [call, user] }[hook] ?? [call];
}

const actions = {
    install,
    installInOwnProcess,
    world: async () => ({
        calls: Object.fromEntries(world.calls), notices: world.notices.splice(0), updates: world.updates.splice(0),
    }),
    set: async ({ settings }) => {
        for (const [id, value] of Object.entries(settings)) {
            await SETTINGS.updateAppSetting(app.getID(), { ...SETTINGS.getAppSetting(app.getID(), id), value });
        }
    },
    put: async ({ calls, rooms, broken }) => {
        world.calls = new Map((calls ?? []).map((call) => [call._id, call]));
        world.rooms = new Map((rooms ?? []).map((room) => [room.id, room]));
        world.broken = new Set(broken ?? []);
    },
    command: async ({ user, room, words, thread, own_process }) => {
        const context = new SlashCommandContext(user, room, words, thread);
        await (own_process ? ownProcess.command(context) : manager.getCommandManager().executeCommand('pexip', context));
    },
    request: async ({ path, method, headers, content, own_process }) => {
        const request = { method, headers, content, query: {}, params: {} };
        return own_process ? ownProcess.request(path, request) : manager.getApiManager().executeApi(app.getID(), path, request);
    },
    together: async ({ orders }) => Promise.all(orders.map(timed)),
};
for (const hook of ['isFullyConfigured', 'onNewVideoConference', 'generateUrl', 'customizeUrl', 'getVideoConferenceInfo']) {
    actions[hook] = async (order) => (order.own_process
        ? ownProcess.provider(hook, given(hook, order))
        : PROVIDERS[hook]('pexip', ...given(hook, order)));
}

async function carryOut(order) {
    try {
        return { value: await actions[order.do](order) };
    } catch (error) {
        return { error: String(error?.message ?? error) };
    }
}

async function timed(order) {
    const began = performance.now();
    const answer = await carryOut(order);
    return { ...answer, seconds: (performance.now() - began) / 1000 };
}

for await (const line of createInterface({ input: process.stdin })) {
    const answer = await carryOut(JSON.parse(line));
    process.stdout.write(`${JSON.stringify({ ...answer, logs: world.logs.splice(0) })}\n`);
}
