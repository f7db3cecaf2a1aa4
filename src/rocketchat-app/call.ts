import { ILogger, IRead } from '@rocket.chat/apps-engine/definition/accessors';
import { VideoConfData } from '@rocket.chat/apps-engine/definition/videoConfProviders';
import { IVideoConferenceUser } from '@rocket.chat/apps-engine/definition/videoConferences';

import { ICall, IPerson, IRoom, reasonOf } from './module';

/* More is refused by the module; characters. */
const NAME_MAX = 250;
const TITLE_MAX = 5000;

/* The engine that the app is compiled with does not know these yet, newer ones hand them over. */
interface INewerCall {
    discussionRid?: string;
}

function shortened(text: string | undefined, most: number): string | undefined {
    return text ? Array.from(text).slice(0, most).join('') : undefined;
}

export function personOf(user: IVideoConferenceUser): IPerson {
    return { id: user._id, username: shortened(user.username, NAME_MAX), name: shortened(user.name, NAME_MAX) };
}

/* The room by the name that is in its address. One that cannot be read costs the call nothing but that. */
async function roomOf(read: IRead, log: ILogger, id: string): Promise<IRoom> {
    try {
        const room = await read.getRoomReader().getById(id);
        return { id, name: shortened(room?.slugifiedName, NAME_MAX), type: room?.type };
    } catch (error) {
        log.warn(`Room ${id} cannot be read: ${reasonOf(error)}`);
        return { id };
    }
}

/* The call as the module wants it told, with its discussion once there is one. */
export async function describe(call: VideoConfData, read: IRead, log: ILogger): Promise<ICall> {
    const { discussionRid } = call as INewerCall;
    return {
        id: call._id,
        title: shortened(call.title, TITLE_MAX),
        room: await roomOf(read, log, call.rid),
        creator: personOf(call.createdBy),
        discussion: discussionRid ? await discussionOf(read, log, discussionRid) : undefined,
    };
}

/* Only what has an address: a discussion without name or of another type leads nowhere. */
async function discussionOf(read: IRead, log: ILogger, id: string): Promise<IRoom | undefined> {
    const room = await roomOf(read, log, id);
    if (!room.name || (room.type !== 'c' && room.type !== 'p')) {
        log.warn(`Discussion ${id} has no address, the call goes on without it.`);
        return undefined;
    }
    return room;
}
