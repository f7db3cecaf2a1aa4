import { IHttp, IRead } from '@rocket.chat/apps-engine/definition/accessors';
import { App } from '@rocket.chat/apps-engine/definition/App';
import { IBlock } from '@rocket.chat/apps-engine/definition/uikit';
import {
    IVideoConferenceOptions, IVideoConfProvider, VideoConfData, VideoConfDataExtended,
} from '@rocket.chat/apps-engine/definition/videoConfProviders';
import { IVideoConferenceUser, VideoConference } from '@rocket.chat/apps-engine/definition/videoConferences';

import { describe, personOf } from './call';
import { blocksOf } from './info';
import { Module, reasonOf } from './module';
import { readAccess } from './settings';

/* Nobody needs this answer, so nobody waits long for it; milliseconds. */
const EARLY_PATIENCE = 3000;

interface IArguments {
    user?: IVideoConferenceUser;
    options?: IVideoConferenceOptions;
    read: IRead;
    http: IHttp;
}

/*
 * Servers that run apps in a process of their own leave out a user or options that are missing, and what
 * follows moves up. The four accessors are always the last.
 */
function sorted(rest: Array<unknown>): IArguments {
    const [read, , http] = rest.slice(-4);
    const given = rest.slice(0, -4).filter((value) => typeof value === 'object' && value !== null);
    const user = given.find((value) => typeof (value as IVideoConferenceUser)._id === 'string');
    const options = given.find((value) => value !== user);
    return { user, options, read, http } as IArguments;
}

export class PexipProvider implements IVideoConfProvider {
    // Makes the key `pexip`, by which the desktop client and the module's links know the provider.
    public readonly name = 'Pexip';
    public readonly capabilities = { title: true, mic: true, cam: true, persistentChat: true };

    constructor(private readonly app: App) {}

    public async isFullyConfigured(read: IRead): Promise<boolean> {
        return typeof (await readAccess(read)) !== 'string';
    }

    /* Early, because a node may ask as soon as somebody has an address. A failure is made up for by generateUrl. */
    public async onNewVideoConference(call: VideoConference, ...rest: Array<unknown>): Promise<void> {
        try {
            await this.create(call, rest, EARLY_PATIENCE);
        } catch (error) {
            this.app.getLogger().warn(`Call ${call._id} is not created yet: ${reasonOf(error)}`);
        }
    }

    public async generateUrl(call: VideoConfData, ...rest: Array<unknown>): Promise<string> {
        try {
            return await this.create(call, rest);
        } catch (error) {
            this.app.getLogger().error(`Call ${call._id} cannot be created: ${reasonOf(error)}`);
            throw error;
        }
    }

    /* If the module cannot be asked the common address is better than none: it leads in as a guest. */
    public async customizeUrl(call: VideoConfDataExtended, ...rest: Array<unknown>): Promise<string> {
        const { user, options, read, http } = sorted(rest);
        try {
            const module = await Module.from(read, http);
            return await module.link(call._id, user && personOf(user), options?.mic !== false, options?.cam !== false);
        } catch (error) {
            this.app.getLogger().warn(`No personal address for call ${call._id}: ${reasonOf(error)}`);
            return call.url;
        }
    }

    /* Without blocks of ours Rocket.Chat shows the call's common address. */
    public async getVideoConferenceInfo(call: VideoConference, ...rest: Array<unknown>): Promise<Array<IBlock>> {
        const { user, read, http } = sorted(rest);
        if (!user) {
            return [];
        }
        try {
            return blocksOf(await (await Module.from(read, http)).info(call._id, user._id));
        } catch (error) {
            this.app.getLogger().warn(`No details of call ${call._id}: ${reasonOf(error)}`);
            return [];
        }
    }

    private async create(call: VideoConfData, rest: Array<unknown>, patience?: number): Promise<string> {
        const { read, http } = sorted(rest);
        const module = await Module.from(read, http);
        return module.create(await describe(call, read, this.app.getLogger()), patience);
    }
}
