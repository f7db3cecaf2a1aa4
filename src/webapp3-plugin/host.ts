import { Channel, Plugin, registerPlugin } from '@pexip/plugin-api';

import { quieten } from './log';
import { within } from './time';

/* Also in the manifest, which must name the same. */
export const PLUGIN_ID = 'rc-chat';
const PLUGIN_VERSION = 1;
const PATIENCE = 5000; // milliseconds

/*
 * The web app of Infinity 35 and 36 looks into the plugin's window for the frame that it is to show, and is told
 * to show it by a message that the library no longer has.
 */
interface OldFrame {
    type: 'sidePanel';
    element: HTMLIFrameElement;
}
interface OldWindow {
    iframeManager?: { get(id: string): OldFrame | undefined };
}
interface OldChannel {
    callRPC(name: 'ui:plugin:toggle', payload: { id: string }): Promise<{ status: string; reason?: string }>;
}

export interface Host {
    plugin: Plugin;
    /* What a web app of the old kind shows, or hides again, when toggleFrame is called. */
    setFrame(element: HTMLIFrameElement): void;
    toggleFrame(): Promise<void>;
}

/* The library keeps its channel's name to itself; the web app's first answer has it. */
function nameOfChannel(): Promise<string> {
    return new Promise((resolve) => {
        window.addEventListener('message', function listen({ source, data }) {
            if (source === window.parent && data?.rpc === 'syn') {
                window.removeEventListener('message', listen);
                resolve(data.chanId);
            }
        });
    });
}

export async function register(): Promise<Host> {
    let frame: OldFrame | undefined;
    quieten();
    const name = nameOfChannel();
    const registered = registerPlugin({ id: PLUGIN_ID, version: PLUGIN_VERSION });
    // By now the library has made the object, and the web app has not heard of us yet.
    Object.assign<Window['plugin'], OldWindow>(window.plugin, { iframeManager: { get: () => frame } });

    const plugin = await registered;
    const channel = new Channel(window.parent, await name) as unknown as OldChannel;
    return {
        plugin,
        setFrame: (element) => {
            frame = { type: 'sidePanel', element };
        },
        toggleFrame: async () => {
            const reply = await within(PATIENCE, channel.callRPC('ui:plugin:toggle', { id: PLUGIN_ID }));
            if (reply.status !== 'ok') {
                throw new Error(reply.reason ?? 'the web app refuses');
            }
        },
    };
}
