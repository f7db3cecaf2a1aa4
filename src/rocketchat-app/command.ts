import { IHttp, IModify, IRead } from '@rocket.chat/apps-engine/definition/accessors';
import { App } from '@rocket.chat/apps-engine/definition/App';
import { ISlashCommand, SlashCommandContext } from '@rocket.chat/apps-engine/definition/slashcommands';
import { AppVideoConference } from '@rocket.chat/apps-engine/definition/videoConferences';

import { reasonOf } from './module';
import { readAccess } from './settings';

const HELP = '`/pexip` starts a call in this room, `/pexip Weekly` one with the title _Weekly_. '
    + 'Everybody joins by the button of its message.';

/* Says something to the sender alone, where he has typed. */
async function tell(context: SlashCommandContext, modify: IModify, text: string): Promise<void> {
    const message = modify.getCreator().startMessage().setRoom(context.getRoom()).setText(text);
    const thread = context.getThreadId();
    if (thread) {
        message.setThreadId(thread);
    }
    await modify.getNotifier().notifyUser(context.getSender(), message.getMessage());
}

export class PexipCommand implements ISlashCommand {
    public readonly command = 'pexip';
    public readonly i18nParamsExample = 'command_parameters';
    public readonly i18nDescription = 'command_description';
    public readonly providesPreview = false;
    // The same that Rocket.Chat asks for when a call is started by its button.
    public readonly permission = 'call-management';

    constructor(private readonly app: App) {}

    public async executor(context: SlashCommandContext, read: IRead, modify: IModify, _http: IHttp): Promise<void> {
        const title = context.getArguments().join(' ').trim();
        if (title.toLowerCase() === 'help') {
            return tell(context, modify, HELP);
        }
        const access = await readAccess(read);
        if (typeof access === 'string') {
            return tell(context, modify, `Calls are not set up yet, an administrator has to do it: ${access}.`);
        }
        try {
            await this.start(context, modify, title);
        } catch (error) {
            this.app.getLogger().error(`A call in room ${context.getRoom().id} cannot be started: ${reasonOf(error)}`);
            await tell(context, modify, 'The call could not be started. An administrator finds the reason in the log of the Pexip app.');
        }
    }

    /* Rocket.Chat posts the message and asks our provider for the address. */
    private async start(context: SlashCommandContext, modify: IModify, title: string): Promise<void> {
        const call = { rid: context.getRoom().id, createdBy: context.getSender().id, providerName: 'pexip' };
        const builder = modify.getCreator().startVideoConference(call as AppVideoConference);
        if (title) {
            builder.setTitle(title);
        }
        await modify.getCreator().finish(builder);
    }
}
