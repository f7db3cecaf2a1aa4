import { IRead } from '@rocket.chat/apps-engine/definition/accessors';
import { ISetting, SettingType } from '@rocket.chat/apps-engine/definition/settings';
import { URL } from 'url';

/* None is `required`: Rocket.Chat would not enable the app before they are set. The provider says it instead. */
function setting(id: string, type: SettingType): ISetting {
    return { id, type, packageValue: '', required: false, public: false, i18nLabel: id, i18nDescription: `${id}_description` };
}

export const SETTINGS: Array<ISetting> = [
    setting('module_address', SettingType.STRING),
    setting('module_user', SettingType.STRING),
    setting('module_password', SettingType.PASSWORD),
    setting('callback_secret', SettingType.PASSWORD),
];

/* How the module is reached. The address ends without a slash. */
export interface IModuleAccess {
    address: string;
    user: string;
    password: string;
}

async function textOf(read: IRead, id: string): Promise<string> {
    const value: unknown = await read.getEnvironmentReader().getSettings().getValueById(id);
    return typeof value === 'string' ? value : '';
}

function isLoopback(host: string): boolean {
    return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/* What is wrong with the address, for an administrator; nothing if it can be used. */
function complaintAbout(address: string): string | undefined {
    let url: URL;
    try {
        url = new URL(address);
    } catch (_) {
        return 'the address of the module is no URL';
    }
    if (url.username || url.password || url.search || url.hash) {
        return 'the address of the module must have no user, password, query or fragment';
    }
    // The password would be readable on its way.
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
        return 'the address of the module must begin with https://, or with http:// on this machine only';
    }
    return undefined;
}

/* The access, or a text that says what is missing. */
export async function readAccess(read: IRead): Promise<IModuleAccess | string> {
    const address = (await textOf(read, 'module_address')).trim().replace(/\/+$/, '');
    const user = await textOf(read, 'module_user');
    const password = await textOf(read, 'module_password');

    if (!address || !user || !password) {
        return 'address, user and password of the module are needed';
    }
    if (user.includes(':')) {
        return 'the user must have no colon';
    }
    return complaintAbout(address) || { address, user, password };
}

/* Empty where none is set. */
export async function readCallbackSecret(read: IRead): Promise<string> {
    return textOf(read, 'callback_secret');
}
