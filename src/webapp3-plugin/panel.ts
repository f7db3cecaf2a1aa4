import { Button, ToolbarButtonPayload, Widget } from '@pexip/plugin-api';

import { Host } from './host';
import { ICON } from './icon';
import { complain, reasonOf, warn } from './log';
import { texts } from './texts';
import { wait, within } from './time';

/* Until then a web app that knows widgets has answered; milliseconds. */
const PATIENCE = 3000;

/*
 * One room in a panel, with the button that opens and closes it. Which kind of panel the web app knows is seen by
 * what it answers: a widget is offered at once, and a frame of the old kind is used where none has come of that.
 */
export class Panel {
    private widget?: Widget;
    private frame?: HTMLIFrameElement;
    private button?: Button<'toolbar'>;
    private shown = false;
    private removed = false;
    private observer?: MutationObserver;
    private readonly decided: Promise<void>;

    public constructor(private readonly host: Host, private readonly url: string) {
        this.decided = Promise.race([this.addWidget(), wait(PATIENCE)]);
        void this.addButton();
    }

    /* The web app may go on with another meeting. */
    public async remove(): Promise<void> {
        this.removed = true;
        this.observer?.disconnect();
        this.frame?.remove();
        await Promise.all([this.widget, this.button].map(removeElement));
    }

    private async addWidget(): Promise<void> {
        try {
            const widget = await this.host.plugin.ui.addWidget({ type: 'sidePanel', src: this.url, title: texts.title });
            if (this.removed) {
                return removeElement(widget);
            }
            this.widget = widget;
            widget.onToggle.add(({ isVisible }) => this.setShown(isVisible));
        } catch (error) {
            warn('the web app has no place for a widget:', reasonOf(error));
        }
    }

    private async addButton(): Promise<void> {
        try {
            const button = await this.host.plugin.ui.addButton(this.lookOfButton());
            if (this.removed) {
                return removeElement(button);
            }
            this.button = button;
            button.onClick.add(() => void this.toggle());
        } catch (error) {
            complain('the web app takes no button:', reasonOf(error));
        }
    }

    private lookOfButton(): ToolbarButtonPayload {
        return { position: 'toolbar', icon: { custom: ICON }, tooltip: texts.button, isActive: this.shown };
    }

    private setShown(shown: boolean): void {
        if (this.shown === shown) {
            return;
        }
        this.shown = shown;
        this.button?.update(this.lookOfButton()).catch((error) => warn('the button stays as it is:', reasonOf(error)));
    }

    private async toggle(): Promise<void> {
        await this.decided;
        try {
            await (this.widget ? within(PATIENCE, this.widget.toggle()) : this.toggleFrame());
        } catch (error) {
            complain('the panel does not open:', reasonOf(error));
            await this.host.plugin.ui.showToast({ message: texts.cannotOpen, isDanger: true });
        }
    }

    private toggleFrame(): Promise<void> {
        if (!this.frame) {
            this.frame = document.createElement('iframe');
            this.frame.src = this.url;
            this.frame.title = texts.title;
            this.host.setFrame(this.frame);
            this.watch(this.frame);
        }
        return this.host.toggleFrame();
    }

    /* Web apps of that age do not tell when another panel takes the place of this one. */
    private watch(frame: HTMLIFrameElement): void {
        this.observer = new MutationObserver(() => this.setShown(frame.isConnected));
        this.observer.observe(window.parent.document, { childList: true, subtree: true });
    }
}

async function removeElement(element: { remove(): Promise<void> } | undefined): Promise<void> {
    try {
        await element?.remove();
    } catch (error) {
        warn('the web app keeps a part of the last meeting:', reasonOf(error));
    }
}
