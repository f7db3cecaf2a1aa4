import { IHttp, IModify, IPersistence, IRead } from '@rocket.chat/apps-engine/definition/accessors';
import { ApiEndpoint, IApiEndpointInfo, IApiRequest, IApiResponse } from '@rocket.chat/apps-engine/definition/api';
import { createHash, timingSafeEqual } from 'crypto';

import { reasonOf } from './module';
import { readCallbackSecret } from './settings';

const SECRET_HEADER = 'x-pexip-rc-secret';
const STATUS_CALLING = 0;
const STATUS_STARTED = 1;
const STATUS_ENDED = 3;

function digest(text: string): Buffer {
    return createHash('sha256').update(text, 'utf8').digest();
}

function callIdIn(content: unknown): string | undefined {
    const id = typeof content === 'object' && content !== null ? (content as { callId?: unknown }).callId : undefined;
    return typeof id === 'string' && /^[A-Za-z0-9]{1,64}$/.test(id) ? id : undefined;
}

/*
 * POST {"callId"}: the module says that a call has ended, which nobody can over Rocket.Chat's own API.
 * 404 means that there is no such call and that asking again is no use; 500 that it is.
 */
export class EndedEndpoint extends ApiEndpoint {
    public path = 'ended';

    public async post(
        request: IApiRequest, _endpoint: IApiEndpointInfo, read: IRead, modify: IModify, _http: IHttp, _persis: IPersistence,
    ): Promise<IApiResponse> {
        if (!(await this.isModule(request, read))) {
            return this.answer(403, 'not allowed');
        }
        const callId = callIdIn(request.content);
        if (!callId) {
            return this.answer(400, 'callId must be the id of a call');
        }
        try {
            return await this.end(callId, read, modify);
        } catch (error) {
            this.app.getLogger().error(`Call ${callId} cannot be ended: ${reasonOf(error)}`);
            return this.answer(500, 'the call cannot be ended now');
        }
    }

    /* Digests have one length, so that the time tells nothing about the secret, not even how long it is. */
    private async isModule(request: IApiRequest, read: IRead): Promise<boolean> {
        const secret = await readCallbackSecret(read);
        const given: unknown = request.headers[SECRET_HEADER];
        if (!secret) {
            this.app.getLogger().error('The module tells that a call has ended, but no callback secret is set in this app.');
            return false;
        }
        if (typeof given !== 'string' || !timingSafeEqual(digest(given), digest(secret))) {
            this.app.getLogger().warn('Somebody without the right secret tells that a call has ended.');
            return false;
        }
        return true;
    }

    private async end(callId: string, read: IRead, modify: IModify): Promise<IApiResponse> {
        const call = await read.getVideoConferenceReader().getById(callId);
        // The secret is about calls of ours, not about all calls of the workspace.
        if (call?.providerName !== 'pexip') {
            return this.answer(404, 'no such call');
        }
        if (call.status === STATUS_CALLING || call.status === STATUS_STARTED) {
            const extender = await modify.getExtender().extendVideoConference(callId);
            extender.setStatus(STATUS_ENDED);
            await modify.getExtender().finish(extender);
        }
        return this.json({ status: 200, content: { success: true } });
    }

    private answer(status: number, error: string): IApiResponse {
        return this.json({ status, content: { success: false, error } });
    }
}
