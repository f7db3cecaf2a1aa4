import { roomInLink } from './address';
import { Chat } from './chat';
import { Config, loadConfig } from './config';
import { Host, register } from './host';
import { complain, reasonOf, warn } from './log';
import { texts } from './texts';

function tell(host: Host, message: string): void {
    host.plugin.ui.showToast({ message, isDanger: true }).catch((error) => warn('no toast:', reasonOf(error)));
}

/* Without allow-same-origin in the manifest there is nothing to be read. */
function readLink(): string | undefined {
    try {
        return roomInLink(window.parent);
    } catch (error) {
        complain('the join link cannot be read, is allow-same-origin in the manifest?', reasonOf(error));
        return undefined;
    }
}

/* An empty panel does not say why it is empty. */
function watchForBlocking(host: Host, { origin }: Config): void {
    window.parent.document.addEventListener('securitypolicyviolation', function look({ blockedURI, effectiveDirective }) {
        if (effectiveDirective === 'frame-src' && `${blockedURI}/`.startsWith(`${origin}/`)) {
            window.parent.document.removeEventListener('securitypolicyviolation', look);
            complain(`the Content-Security-Policy of the web app needs ${origin} in frame-src`);
            tell(host, texts.blocked);
        }
    });
}

async function makeChat(host: Host, room: string | undefined): Promise<Chat | undefined> {
    try {
        const config = await loadConfig();
        watchForBlocking(host, config);
        const chat = new Chat(host, config);
        if (room !== undefined) {
            chat.takeFromLink(room);
        }
        return chat;
    } catch (error) {
        complain('the plugin is not set up:', reasonOf(error));
        tell(host, texts.notSetUp);
        return undefined;
    }
}

async function start(room: string | undefined): Promise<void> {
    const host = await register();
    // Events come when they like, also before the configuration is there; they are taken in their order.
    const made = makeChat(host, room);
    const { authenticatedWithConference, disconnected, userInitiatedDisconnect } = host.plugin.events;
    const leave = async (): Promise<void> => (await made)?.leave();
    authenticatedWithConference.add(async (meeting) => (await made)?.join(meeting?.conferenceAlias));
    disconnected.add(leave);
    userInitiatedDisconnect.add(leave);
}

start(readLink()).catch((error) => complain('the web app does not take the plugin:', reasonOf(error)));
