import { IConfigurationExtend } from '@rocket.chat/apps-engine/definition/accessors';
import { ApiSecurity, ApiVisibility } from '@rocket.chat/apps-engine/definition/api';
import { App } from '@rocket.chat/apps-engine/definition/App';

import { PexipCommand } from './command';
import { EndedEndpoint } from './ended';
import { PexipProvider } from './provider';
import { SETTINGS } from './settings';

/*
 * Brings Rocket.Chat's calls to mod_pexip_rc and their ends back. The module decides everything; here is
 * no state and no rule, so that an update of the module never needs an update of the app.
 */
export default class PexipApp extends App {
    protected async extendConfiguration(configuration: IConfigurationExtend): Promise<void> {
        for (const setting of SETTINGS) {
            await configuration.settings.provideSetting(setting);
        }
        await configuration.videoConfProviders.provideVideoConfProvider(new PexipProvider(this));
        await configuration.slashCommands.provideSlashCommand(new PexipCommand(this));
        await configuration.api.provideApi({
            visibility: ApiVisibility.PUBLIC,
            security: ApiSecurity.UNSECURE, // there is no other kind; the endpoint asks for a secret itself
            endpoints: [new EndedEndpoint(this)],
        });
    }
}
