/*
 * The side of Pexip's web app on which plugins depend, without anything that is drawn: it answers the messages of one
 * plugin as the web app of a generation does, strictly, and keeps what the plugin has asked for.
 *
 *     const app = new WebApp({ generation: 37, id: 'rc-chat', post, pluginWindow });
 *     app.receive(message);          // from the plugin's frame
 *     app.emit('event:connected');   // to it
 *
 * generation: of Infinity, 35 or 37. post(message) sends to the plugin; pluginWindow() is its window. silent: names of
 * calls that are never answered; refused: name -> reason; held: names of calls that are answered by release().
 */

const ICON_NAMES = ['IconChat', 'IconGroup', 'IconPlayRound'];

function isText(value) {
    return typeof value === 'string' && value !== '';
}

function isIcon(icon) {
    return ICON_NAMES.includes(icon) || (isText(icon?.custom?.main) && isText(icon?.custom?.hover));
}

function isToolbarButton(payload) {
    return payload.position === 'toolbar' && isText(payload.tooltip) && ['boolean', 'undefined'].includes(typeof payload.isActive);
}

export class WebApp {
    constructor({ generation, id, post, pluginWindow, changed = () => {}, silent = [], refused = {}, held = [] }) {
        Object.assign(this, { generation, id, post, pluginWindow, changed, silent, refused, held });
        this.chanId = undefined;
        this.messages = [];
        this.complaints = [];
        this.toasts = [];
        this.buttons = new Map();
        this.widgets = new Map();
        this.waiting = [];
        this.frame = undefined; // of the old kind, shown at the moment
        this.count = 0;
    }

    receive(message) {
        const { rpc, payload, id, chanId } = message;
        this.messages.push({ rpc, payload });
        if (!isText(id) || !isText(chanId) || (this.chanId ?? chanId) !== chanId) {
            this.complaints.push(`${rpc} has not come by the plugin's channel`);
            return;
        }
        if (this.silent.includes(rpc)) {
            return;
        }
        const reply = () => this.post({ rpc, chanId, replyTo: id, payload: this.answer(rpc, payload, chanId) });
        if (this.held.includes(rpc)) {
            this.waiting.push(reply);
        } else {
            reply();
        }
    }

    release() {
        this.waiting.splice(0).forEach((reply) => reply());
    }

    emit(event, payload) {
        this.post({ event, payload, chanId: this.chanId });
    }

    click() {
        for (const buttonId of this.buttons.keys()) {
            this.emit('ui:button:click', { buttonId, input: { buttonId } });
        }
    }

    /* Somebody opens the web app's own list of people, which takes the place of the panel. */
    openOtherPanel() {
        for (const [widgetId, widget] of this.widgets) {
            if (widget.isVisible) {
                this.setVisible(widgetId, false, 'anotherSidePanel');
            }
        }
        this.frame = undefined;
        this.changed();
    }

    answer(rpc, payload, chanId) {
        if (rpc === 'syn') {
            return this.greet(payload, chanId);
        }
        const handle = this.handlers()[rpc];
        if (!handle) {
            this.complaints.push(`${rpc} is unknown here`);
            return { status: 'failed', id: '', reason: `unknown call ${rpc}` };
        }
        const reason = this.refused[rpc] ?? handle(payload);
        return typeof reason === 'string' ? { status: 'failed', id: '', reason } : { status: 'ok', id: '', ...reason };
    }

    greet({ id, version }, chanId) {
        if (id !== this.id || typeof version !== 'number' || !chanId.startsWith(`${id}-`)) {
            return { ack: false, reason: 'not a plugin of the manifest' };
        }
        if (this.chanId) {
            return { ack: false, reason: 'the id is already in use' };
        }
        this.chanId = chanId;
        return { ack: true };
    }

    handlers() {
        return {
            'ui:button:add': (payload) => this.addButton(payload),
            'ui:button:update': ({ targetId, ...payload }) => this.updateButton(targetId, payload),
            'ui:toast:show': (payload) => this.showToast(payload),
            'ui:removeElement': ({ id }) => this.removeElement(id),
            ...(this.generation < 37
                ? { 'ui:plugin:toggle': ({ id }) => this.toggleFrame(id) }
                : {
                    'ui:widget:add': (payload) => this.addWidget(payload),
                    'ui:widget:toggle': ({ id }) => this.toggleWidget(id),
                }),
        };
    }

    newId(kind) {
        this.count += 1;
        return `${kind}-${this.count}`;
    }

    addButton(payload) {
        if (!isToolbarButton(payload)) {
            return 'Invalid button';
        }
        if (!isIcon(payload.icon)) {
            return 'Invalid Icon name';
        }
        const id = this.newId('button');
        this.buttons.set(id, payload);
        this.changed();
        return { id };
    }

    updateButton(id, payload) {
        if (!this.buttons.has(id) || !isToolbarButton(payload) || !isIcon(payload.icon)) {
            return 'Invalid button';
        }
        this.buttons.set(id, payload);
        this.changed();
        return { id };
    }

    showToast({ message, isDanger }) {
        if (!isText(message)) {
            return 'Invalid toast';
        }
        this.toasts.push({ message, isDanger });
        this.changed();
        return {};
    }

    removeElement(id) {
        if (!this.buttons.delete(id) && !this.widgets.delete(id)) {
            return 'No such element';
        }
        this.changed();
        return {};
    }

    addWidget({ type, src, title }) {
        if (type !== 'sidePanel' || !isText(src) || !isText(title)) {
            return 'Invalid widget';
        }
        const id = this.newId('widget');
        this.widgets.set(id, { src, title, isVisible: false });
        this.changed();
        return { id };
    }

    toggleWidget(id) {
        if (!this.widgets.has(id)) {
            return 'No such widget';
        }
        this.setVisible(id, !this.widgets.get(id).isVisible, 'self');
        return { id };
    }

    setVisible(widgetId, isVisible, trigger) {
        this.widgets.get(widgetId).isVisible = isVisible;
        this.changed();
        this.emit('ui:widget:onToggle', { widgetId, isVisible, isRequest: false, trigger });
    }

    toggleFrame(id) {
        const frame = this.pluginWindow().plugin?.iframeManager?.get(id);
        if (frame?.type !== 'sidePanel' || !frame.element) {
            return 'No such frame';
        }
        this.frame = this.frame ? undefined : frame.element;
        this.changed();
        return { id };
    }
}
