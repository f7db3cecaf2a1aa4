import { roomAddress } from './address';
import { Config } from './config';
import { findRoom } from './endpoint';
import { Host } from './host';
import { warn } from './log';
import { Panel } from './panel';

/*
 * The chat of the meeting that the person is in. Who is transferred, or goes into a breakout room, keeps the chat of
 * the meeting that he came from; who leaves and joins another meeting does not.
 */
export class Chat {
    private panel?: Panel;
    /* Of the meeting that the panel belongs to, or that is asked about. */
    private alias?: string;
    private search?: AbortController;
    private left = false;

    public constructor(private readonly host: Host, private readonly config: Config) {}

    /* The room that the join link names, if it is one of the workspace. */
    public takeFromLink(room: string): void {
        const url = roomAddress(room, this.config.origin);
        if (url) {
            this.panel = new Panel(this.host, url);
        } else {
            warn('the link names a room that is none of', this.config.origin);
        }
    }

    public join(alias: unknown): void {
        if (typeof alias !== 'string' || !alias) {
            warn('the web app does not say which meeting this is');
            return;
        }
        if (this.panel && this.left && alias !== this.alias) {
            void this.panel.remove();
            this.panel = undefined;
        }
        this.left = false;
        if (this.panel) {
            this.alias ??= alias;
        } else if (!this.search || alias !== this.alias) {
            void this.look(alias);
        }
    }

    public leave(): void {
        this.left = true;
        this.stopLooking();
    }

    private stopLooking(): void {
        this.search?.abort();
        this.search = undefined;
    }

    private async look(alias: string): Promise<void> {
        this.stopLooking();
        const search = new AbortController();
        this.search = search;
        this.alias = alias;
        const url = await findRoom(this.config, alias, search.signal);
        if (search.signal.aborted) {
            return;
        }
        this.search = undefined;
        if (url) {
            this.panel = new Panel(this.host, url);
        }
    }
}
