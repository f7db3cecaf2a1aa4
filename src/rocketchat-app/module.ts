import { IHttp, IHttpResponse, IRead } from '@rocket.chat/apps-engine/definition/accessors';

import { IModuleAccess, readAccess } from './settings';

/* Somebody waits for a button in Rocket.Chat meanwhile; milliseconds. */
const PATIENCE = 5000;
/* A longer reason is no reason but a page. */
const REASON_MAX = 300;

export interface IPerson {
    id: string;
    username?: string;
    name?: string;
}

export interface IRoom {
    id: string;
    name?: string;
    type?: string;
}

export interface ICall {
    id: string;
    title?: string;
    room: IRoom;
    creator: IPerson;
    discussion?: IRoom;
}

type Answer = Record<string, unknown>;

/* The text of an error, whatever was thrown and by whomever. */
export function reasonOf(error: unknown): string {
    const message = (error as { message?: unknown } | undefined)?.message;
    return typeof message === 'string' ? message : String(error);
}

function parse(text: string | undefined): Answer | undefined {
    try {
        const value: unknown = JSON.parse(text || '');
        return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Answer) : undefined;
    } catch (_) {
        return undefined;
    }
}

/* The module's meetings API. Every method throws an Error whose message people may read. */
export class Module {
    public static async from(read: IRead, http: IHttp): Promise<Module> {
        const access = await readAccess(read);
        if (typeof access === 'string') {
            throw new Error(`The Pexip app is not set up: ${access}.`);
        }
        return new Module(access, http);
    }

    private readonly credentials: string;

    private constructor(private readonly access: IModuleAccess, private readonly http: IHttp) {
        this.credentials = Buffer.from(`${access.user}:${access.password}`, 'utf8').toString('base64');
    }

    /* The address that leads everybody into the call's meeting, which is created unless it is known. */
    public async create(call: ICall, patience = PATIENCE): Promise<string> {
        return this.urlIn(await this.post('', { ...call, call: true }, patience), 'join_url');
    }

    /* The personal address of one person, or of somebody unknown. */
    public async link(callId: string, user: IPerson | undefined, microphone: boolean, camera: boolean): Promise<string> {
        return this.urlIn(await this.post(`/${encodeURIComponent(callId)}/links`, { user, microphone, camera }), 'url');
    }

    /* What this person may know about the call. */
    public async info(callId: string, userId: string): Promise<Answer> {
        return this.post(`/${encodeURIComponent(callId)}/info`, { user: { id: userId } });
    }

    private async post(path: string, body: object, timeout = PATIENCE): Promise<Answer> {
        const response = await this.exchange(path, body, timeout);
        const answer = parse(response.content);

        if (response.statusCode === 401 || response.statusCode === 403) {
            throw new Error(`The Pexip module does not accept the app's user and password (${response.statusCode}).`);
        }
        if (response.statusCode !== 200 && response.statusCode !== 201) {
            throw this.refusal(response.statusCode, answer?.detail);
        }
        if (!answer) {
            throw new Error('What answers at the address of the Pexip module is not the module.');
        }
        return answer;
    }

    private async exchange(path: string, body: object, timeout: number): Promise<IHttpResponse> {
        // Not `auth`, which Rocket.Chat reads as ASCII, and not `rejectUnauthorized`, which it understands the
        // wrong way round: certificates are verified as long as it is not mentioned.
        const headers = {
            'Accept': 'application/json',
            'Authorization': `Basic ${this.credentials}`,
            'Content-Type': 'application/json',
        };
        const url = `${this.access.address}/api/v1/meetings${path}`;
        let response: IHttpResponse | undefined;
        try {
            response = await this.http.post(url, { content: JSON.stringify(body), headers, timeout });
        } catch (error) {
            throw new Error(`The Pexip module cannot be reached: ${this.safe(reasonOf(error))}`);
        }
        if (!response) {
            throw new Error('The Pexip module cannot be reached.');
        }
        return response;
    }

    private refusal(status: number, detail: unknown): Error {
        return typeof detail === 'string'
            ? new Error(`The Pexip module refuses (${status}): ${this.safe(detail)}`)
            : new Error(`The Pexip module answers with ${status}.`);
    }

    private urlIn(answer: Answer, member: string): string {
        const url = answer[member];
        if (typeof url !== 'string' || !/^https?:\/\/\S+$/.test(url)) {
            throw new Error(`The Pexip module's answer has no ${member}.`);
        }
        return url;
    }

    /* Errors are logged, and a text of others may repeat what we sent. */
    private safe(text: string): string {
        return [this.credentials, this.access.password]
            .reduce((rest, secret) => rest.split(secret).join('***'), text)
            .slice(0, REASON_MAX);
    }
}
